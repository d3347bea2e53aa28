"""How a release is loaded and stored: its events are the truth, its row and its messages follow from them.

A command does all of it in one transaction. The row's lock serialises writers of one release; the expected version
catches whoever would write without it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from accounts.models import User
from broker import event_store
from broker.event_store import RecordedEvent
from broker.messages import Message
from broker.outbox import publish

from . import events as messages
from .errors import NotFound
from .models import Release
from .projection import release_row
from .release import Event, ReleaseState, Stage, replay

Decision = Callable[[ReleaseState], list[Event]]


def locked_release(release_id: UUID | str) -> Release:
    """The release, with its title, studio and assets, locked until the transaction ends. Raises `NotFound`."""
    releases = Release.objects.select_for_update(of=("self",)).select_related("title__studio", "asset", "playable")
    release = releases.filter(pk=release_id).first()
    if release is None:
        raise NotFound("There is no such release.")
    return release


def history_of(release_id: UUID) -> list[RecordedEvent]:
    """All that happened to the release."""
    return event_store.load(messages.release_key(release_id))


def state_of(release_id: UUID) -> ReleaseState:
    """The state that the stored events add up to."""
    return _added_up(history_of(release_id))


def decide_and_store(
    release: Release, decision: Decision, *, actor: User | None, metadata: Mapping[str, Any] | None = None
) -> Sequence[Event]:
    """Run `decision` on the release's state; store the events, project them into the row, publish their messages.

    The events remember the actor and `metadata`. Raises whatever the decision refuses with, and
    `broker.errors.ConcurrentWrite`.
    """
    history = history_of(release.pk)
    before = _added_up(history)
    events = decision(before)
    if not events:
        return events
    remembered = {"actor": actor.pk if actor else None, **(metadata or {})}
    recorded = event_store.append(
        aggregate=messages.release_key(release.pk),
        events=[event_store.NewEvent(type=event.type, data=event.data, metadata=remembered) for event in events],
        expected_version=before.version,
    )
    project(release, [*history, *recorded])
    for event in events:
        for message in _messages(release, event, before):
            publish(message, mandatory=True)  # what nobody would hear of did not happen
    return events


def project(release: Release, history: Sequence[RecordedEvent]) -> None:
    """Write what the history adds up to into the release's row."""
    for name, value in release_row(messages.release_key(release.pk), history).items():
        setattr(release, name, value)
    release.save()


def _added_up(history: Sequence[RecordedEvent]) -> ReleaseState:
    return replay(Event(event.type, event.data) for event in history)


def _messages(release: Release, event: Event, before: ReleaseState) -> list[Message]:
    """What the world is told of an event."""
    match event.type:
        case "release.published":
            return [messages.release_published(release)]
        case "release.updated":
            return [messages.release_updated(release)]
        case "release.encoded" if before.stage is Stage.PUBLISHED and before.playable is None:
            return [messages.release_updated(release)]  # what was only announced can be played now
        case "release.recalled":
            return [messages.release_recalled(release, reason=event.data["reason"])]
        case "release.asset_attached" if release.asset is not None:
            return [messages.asset_attached(release, release.asset)]
        case _:
            return []
