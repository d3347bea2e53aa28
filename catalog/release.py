"""The life of a release: a pure state machine. Decisions make events; events make the state.

    drafted ──▶ draft ──schedule──▶ scheduled ──publish──▶ published ──recall──▶ recalled
                  ▲ ◀──unschedule──────┘ │                     ▲
                  └──────────────────────┼── publish ──────────┘

Nothing here reads a clock or a database: moments and identifiers come in as arguments, ISO 8601 and UUID strings.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from .errors import AlreadyPublished, AlreadyRecalled, EncodingHasFailed, IllegalTransition, StillEncoding


class Stage(StrEnum):
    """Where in its life a release is."""

    UNBORN = "unborn"
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    RECALLED = "recalled"


class Video(StrEnum):
    """What is known of the newest upload."""

    NONE = "none"
    ENCODING = "encoding"
    READY = "ready"
    FAILED = "failed"


DETAILS = ("headline", "synopsis", "season", "episode", "starts_at", "expires_at", "languages", "windows")


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about one release. `data` holds JSON types."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """What the events of a release add up to."""

    version: int = 0
    stage: Stage = Stage.UNBORN
    title: int = 0
    kind: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    asset: str | None = None
    video: Video = Video.NONE
    playable: str | None = None
    scheduled_at: str | None = None
    published_at: str | None = None
    recall_reason: str = ""


def replay(events: Iterable[Event]) -> ReleaseState:
    """The state after all events."""
    state = ReleaseState()
    for event in events:
        state = evolve(state, event)
    return state


def evolve(state: ReleaseState, event: Event) -> ReleaseState:
    """The state after one more event. Raises `KeyError` for a type that does not exist."""
    return replace(_EVOLUTIONS[event.type](state, event.data), version=state.version + 1)


# --- Decisions -----------------------------------------------------------------------------------------------------


def draft(state: ReleaseState, *, title: int, kind: str, details: Mapping[str, Any]) -> list[Event]:
    """Begin a life, as a release of that title for good. `details` holds some of `DETAILS`."""
    _require(state, "draft again", Stage.UNBORN)
    given = dict.fromkeys(DETAILS) | dict(details)
    return [Event("release.drafted", {"title": title, "kind": kind, "details": given})]


def edit(state: ReleaseState, *, changes: Mapping[str, Any]) -> list[Event]:
    """Change some of `DETAILS`; after publication that is an update, which subscribers hear of."""
    _require(state, "edit", Stage.DRAFT, Stage.SCHEDULED, Stage.PUBLISHED)
    news = {name: value for name, value in changes.items() if state.details.get(name) != value}
    if not news:
        return []
    return [Event("release.updated" if state.stage is Stage.PUBLISHED else "release.edited", {"changes": news})]


def attach(state: ReleaseState, *, asset: str) -> list[Event]:
    """Give it a video, or another one."""
    _require(state, "take a video for", Stage.DRAFT, Stage.SCHEDULED, Stage.PUBLISHED)
    return [Event("release.asset_attached", {"asset": asset})]


def record_encoded(state: ReleaseState, *, asset: str) -> list[Event]:
    """The encoder is done. The result of an upload that was replaced meanwhile, or a second report, is ignored."""
    if state.asset != asset or state.video is not Video.ENCODING:
        return []
    return [Event("release.encoded", {"asset": asset})]


def record_encoding_failed(state: ReleaseState, *, asset: str, error: str) -> list[Event]:
    """The encoder gave up. A schedule is taken back, because there is nothing to publish then."""
    if state.asset != asset or state.video is not Video.ENCODING:
        return []
    failed = [Event("release.encoding_failed", {"asset": asset, "error": error})]
    return [*failed, Event("release.unscheduled")] if state.stage is Stage.SCHEDULED else failed


def schedule(state: ReleaseState, *, at: str) -> list[Event]:
    """Publish later; the video may still be encoding now. Asking for the same moment again changes nothing."""
    _require(state, "schedule", Stage.DRAFT, Stage.SCHEDULED)
    _refuse_failed_video(state)
    return [] if state.scheduled_at == at else [Event("release.scheduled", {"at": at})]


def unschedule(state: ReleaseState) -> list[Event]:
    """Back to a draft."""
    _require(state, "unschedule", Stage.DRAFT, Stage.SCHEDULED)
    return [Event("release.unscheduled")] if state.stage is Stage.SCHEDULED else []


def publish(state: ReleaseState, *, at: str) -> list[Event]:
    """Tell the world. Without a video it is an announcement; with one, the video must be ready."""
    if state.stage is Stage.PUBLISHED:
        raise AlreadyPublished(f"This release was published at {state.published_at}.")
    _require(state, "publish", Stage.DRAFT, Stage.SCHEDULED)
    _refuse_failed_video(state)
    if state.video is Video.ENCODING:
        raise StillEncoding("Wait until the video is ready, or schedule the release: it is published when it is due.")
    return [Event("release.published", {"at": at})]


def recall(state: ReleaseState, *, reason: str) -> list[Event]:
    """Take back what was published, for good."""
    if state.stage is Stage.RECALLED:
        raise AlreadyRecalled
    _require(state, "recall", Stage.PUBLISHED)
    return [Event("release.recalled", {"reason": reason})]


def _require(state: ReleaseState, action: str, *stages: Stage) -> None:
    if state.stage not in stages:
        needed = " or ".join(stage.value for stage in stages)
        message = f"You cannot {action} a release that is {state.stage.value}; it would have to be {needed}."
        raise IllegalTransition(message, state=state.stage.value)


def _refuse_failed_video(state: ReleaseState) -> None:
    if state.video is Video.FAILED:
        raise EncodingHasFailed("Upload another file; everything else of the draft is kept.")


# --- Evolutions ----------------------------------------------------------------------------------------------------


def _drafted(state: ReleaseState, data: Mapping[str, Any]) -> ReleaseState:
    return replace(state, stage=Stage.DRAFT, title=data["title"], kind=data["kind"], details=data["details"])


def _changed(state: ReleaseState, data: Mapping[str, Any]) -> ReleaseState:
    return replace(state, details={**state.details, **data["changes"]})


def _asset_attached(state: ReleaseState, data: Mapping[str, Any]) -> ReleaseState:
    return replace(state, asset=data["asset"], video=Video.ENCODING)


def _encoded(state: ReleaseState, data: Mapping[str, Any]) -> ReleaseState:
    return replace(state, video=Video.READY, playable=data["asset"])


def _encoding_failed(state: ReleaseState, data: Mapping[str, Any]) -> ReleaseState:
    return replace(state, video=Video.FAILED)


def _scheduled(state: ReleaseState, data: Mapping[str, Any]) -> ReleaseState:
    return replace(state, stage=Stage.SCHEDULED, scheduled_at=data["at"])


def _unscheduled(state: ReleaseState, data: Mapping[str, Any]) -> ReleaseState:
    return replace(state, stage=Stage.DRAFT, scheduled_at=None)


def _published(state: ReleaseState, data: Mapping[str, Any]) -> ReleaseState:
    return replace(state, stage=Stage.PUBLISHED, published_at=data["at"], scheduled_at=None)


def _recalled(state: ReleaseState, data: Mapping[str, Any]) -> ReleaseState:
    return replace(state, stage=Stage.RECALLED, recall_reason=data["reason"])


_EVOLUTIONS = {
    "release.drafted": _drafted,
    "release.edited": _changed,
    "release.updated": _changed,
    "release.asset_attached": _asset_attached,
    "release.encoded": _encoded,
    "release.encoding_failed": _encoding_failed,
    "release.scheduled": _scheduled,
    "release.unscheduled": _unscheduled,
    "release.published": _published,
    "release.recalled": _recalled,
}
