"""The row of a release, made of its events: the one code for commands and for `rebuild_projection`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from broker.event_store import RecordedEvent
from broker.projections import Projection

from .events import RELEASE, release_id_in
from .models import Release
from .release import DETAILS, Event, ReleaseState, evolve

MOMENTS = frozenset({"starts_at", "expires_at"})


def release_row(aggregate: str, history: Iterable[RecordedEvent]) -> dict[str, Any]:
    """What `history` makes of a release, by attribute of `Release`."""
    state, created_at, updated_at = ReleaseState(), None, None
    for event in history:
        state = evolve(state, Event(event.type, event.data))
        created_at, updated_at = created_at or event.recorded_at, event.recorded_at
    # What a release was drafted with before there were languages and windows does not name them.
    details: dict[str, Any] = {**dict.fromkeys(DETAILS), **state.details}
    details |= {name: _moment(details[name]) for name in MOMENTS}
    return {
        **{name: details[name] for name in DETAILS},
        "id": release_id_in(aggregate),
        "title_id": state.title,
        "kind": state.kind,
        "state": state.stage.value,
        "version": state.version,
        "asset_id": _uuid(state.asset),
        "playable_id": _uuid(state.playable),
        "scheduled_at": _moment(state.scheduled_at),
        "published_at": _moment(state.published_at),
        "created_at": created_at,
        "updated_at": updated_at,
    }


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _uuid(value: str | None) -> UUID | None:
    return UUID(value) if value else None


releases = Projection(model=Release, prefix=RELEASE, row=release_row)
