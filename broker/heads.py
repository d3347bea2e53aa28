"""How much waits behind an offset, and for how long."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection

from . import clock
from .offsets import published_at
from .streams import engine
from .streams.postgres import PostgresStreams

Place = tuple[str, int, int]  # stream, partition, offset

_HEADS = """
    SELECT place.stream, place.partition, place."offset", coalesce(head.next_offset, 0),
        coalesce(greatest(extract(epoch FROM clock_timestamp() - waiting.appended_at), 0), 0)::float8
    FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS place (stream, partition, "offset")
    LEFT JOIN broker_streampartition AS head USING (stream, partition)
    LEFT JOIN LATERAL (
        SELECT appended_at FROM broker_streammessage AS message
        WHERE message.stream = place.stream AND message.partition = place.partition
            AND message."offset" >= place."offset"
        ORDER BY message."offset" LIMIT 1
    ) AS waiting ON true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The offset that the next entry will get, and the age of the oldest one that waits; 0 when none does."""

    end: int
    seconds: float


def heads(places: Collection[Place]) -> dict[Place, Head]:
    """The head of each place. PostgreSQL says it of all at once; other engines are asked one by one.

    There the age counts from the message's own time, which is its publisher's. Raises `StreamsUnavailable`.
    """
    if isinstance(engine(), PostgresStreams):
        return _all_at_once(places)
    ends = {log: engine().end(*log) for log in {(stream, partition) for stream, partition, _ in places}}
    return {place: _asked(place, ends[place[:2]]) for place in places}


def _all_at_once(places: Collection[Place]) -> dict[Place, Head]:
    columns = [list(column) for column in zip(*places, strict=True)] or [[], [], []]
    with connection.cursor() as cursor:
        cursor.execute(_HEADS, columns)
        return {
            (stream, partition, offset): Head(end=end, seconds=seconds)
            for stream, partition, offset, end, seconds in cursor.fetchall()
        }


def _asked(place: Place, end: int) -> Head:
    stream, partition, offset = place
    waiting = engine().read(stream, partition, offset, limit=1) if offset < end else []
    made = published_at(waiting[0]) if waiting else None
    return Head(end=end, seconds=max(0.0, (clock.now() - made).total_seconds()) if made else 0.0)
