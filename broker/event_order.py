"""The order of all events, for readers that follow them: by (transaction, id), and never past a commit to come.

Neither number alone will do. An id is drawn before its transaction commits, so a low one may appear after a high one,
and a reader that stood at the high one would pass it over. So a reader goes no further than the horizon: below it
every transaction has ended, and what it wrote is seen or never was. A transaction that writes for long holds the
horizon back; nothing is lost by that, readers wait.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from .errors import EventsFromElsewhere
from .event_store import RecordedEvent

PAGE = 2_000  # events in one answer of the server

_COLUMNS = "aggregate, version, type, data, metadata, recorded_at"
_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_READ = f"""
    SELECT transaction, id, {_COLUMNS} FROM broker_storedevent
    WHERE (transaction, id) > (%s, %s) AND transaction < ({_HORIZON})
    ORDER BY transaction, id LIMIT %s
"""  # noqa: S608 - constants of this file
_SINCE = """
    SELECT DISTINCT aggregate FROM broker_storedevent
    WHERE (transaction, id) > (%s, %s) AND starts_with(aggregate, %s)
"""
_AHEAD = """
    SELECT EXISTS (
        SELECT FROM broker_storedevent
        WHERE transaction >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
            AND transaction IS DISTINCT FROM pg_current_xact_id_if_assigned()::text::bigint
    )
"""
_HISTORIES = f"""
    SELECT {_COLUMNS} FROM broker_storedevent
    WHERE (aggregate, version) > (%(aggregate)s, %(version)s) AND starts_with(aggregate, %(prefix)s)
        AND (%(only)s::text[] IS NULL OR aggregate = ANY(%(only)s::text[]))
    ORDER BY aggregate, version LIMIT %(page)s
"""  # noqa: S608 - constants of this file


class Place(NamedTuple):
    """Where a reader stands in the order of all events."""

    transaction: int
    id: int


START = Place(0, 0)


@dataclass(frozen=True, slots=True)
class PlacedEvent:
    """An event with its aggregate and its place among all events."""

    place: Place
    aggregate: str
    event: RecordedEvent


def read_all(*, after: Place, limit: int = PAGE) -> list[PlacedEvent]:
    """The next events of all aggregates. Whoever goes on after the last one's place sees every event, once.

    An aggregate's versions come in order. Raises `EventsFromElsewhere`.
    """
    with connection.cursor() as cursor:
        cursor.execute(_READ, [*after, limit])
        rows = cursor.fetchall()
    if not rows:
        _check_reached()
    return [PlacedEvent(Place(*row[:2]), row[2], _recorded(*row[3:])) for row in rows]


def horizon() -> Place:
    """The place of which everything before it can be seen now. Raises `EventsFromElsewhere`."""
    _check_reached()
    with connection.cursor() as cursor:
        cursor.execute(_HORIZON)
        return Place(cursor.fetchone()[0], 0)


def aggregates_since(place: Place, *, prefix: str) -> list[str]:
    """The aggregates with events after `place`, those beyond the horizon included: later, there may be more."""
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, [*place, prefix])
        return [aggregate for (aggregate,) in cursor.fetchall()]


def histories(*, prefix: str, only: list[str] | None = None) -> Iterator[tuple[str, RecordedEvent]]:
    """Every event of the aggregates with the prefix, or of `only` some of them, aggregate by aggregate.

    Holds one page of events, however long the histories are.
    """
    aggregate, version = "", 0
    while True:
        given: dict[str, Any] = {
            "aggregate": aggregate,
            "version": version,
            "prefix": prefix,
            "only": only,
            "page": PAGE,
        }
        with connection.cursor() as cursor:
            cursor.execute(_HISTORIES, given)
            rows = cursor.fetchall()
        for aggregate, *columns in rows:
            event = _recorded(*columns)
            version = event.version
            yield aggregate, event
        if len(rows) < PAGE:
            return


def _recorded(version: int, type_: str, data: str, metadata: str, recorded_at: datetime) -> RecordedEvent:
    return RecordedEvent(
        version=version, type=type_, data=json.loads(data), metadata=json.loads(metadata), recorded_at=recorded_at
    )


def _check_reached() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_AHEAD)
        if cursor.fetchone()[0]:
            raise EventsFromElsewhere
