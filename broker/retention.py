"""Retention: streams forget what is older or more than they are to keep, by what every engine that trims can do.

Nothing is counted or scanned. The age is found by halving: some twenty small reads, however long the log is. The size
is estimated from samples that are spread over it, and exact where the log is short.
"""

import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from django.db import connection, transaction

from . import clock
from .current import current_topology
from .errors import BrokerError
from .offsets import published_at
from .streams import Entry, engine
from .topology import Stream

logger = structlog.get_logger(__name__)

CHUNK = 5_000  # offsets trimmed at once
RUN_SECONDS = 20.0  # the beat comes again
LOOK = 20  # entries that one look takes in; their newest counts, as a replayed one brings its old time with it
SAMPLES = 10  # looks that an estimate of the size takes
SHORT = LOOK * SAMPLES  # a log of so many entries is weighed in full

_READ_BY = """
    SELECT name, coalesce(place.next_offset, 0) FROM unnest(%s::text[]) AS wanted (name)
    LEFT JOIN broker_grouppartition AS place
        ON place."group" = wanted.name AND place.stream = %s AND place.partition = %s
"""
_COUNT_UNREAD = """
    UPDATE broker_grouppartition
    SET expired_count = expired_count + %(before)s - greatest(next_offset, %(first)s)
    WHERE "group" = ANY(%(groups)s) AND stream = %(stream)s AND partition = %(partition)s AND next_offset < %(before)s
    RETURNING "group"
"""


def trim_streams() -> int:
    """Trim every stream to what it is to keep; returns how many entries were forgotten.

    What a group of the topology has not read stays, unless the stream says `trim_unread`: then it is counted with what
    expired. Stops after a while and is to be called again, as it is where an engine refuses or is away. An engine whose
    server forgets by rules of its own is left alone.
    """
    if not engine().features.trims:
        return 0
    until = time.monotonic() + RUN_SECONDS
    return sum(
        _trim(stream, partition, until)
        for stream in current_topology().streams
        if stream.max_age or stream.max_bytes
        for partition in range(stream.partitions)
    )


def keeps_from(stream: Stream, partition: int) -> tuple[int, int]:
    """The first offset that there is, and the first that the stream is to keep; equal when nothing is to be trimmed."""
    end = engine().end(stream.name, partition)
    first = next((entry.offset for entry in engine().read(stream.name, partition, 0, limit=1)), end)
    keep = first
    if stream.max_age:
        keep = _first_since(stream.name, partition, clock.now() - stream.max_age, first, end)
    if stream.max_bytes:
        keep = _first_within(stream.name, partition, stream.max_bytes // stream.partitions, keep, end)
    if not stream.trim_unread:
        keep = min([keep, *_read_up_to(stream, partition)])
    return first, max(first, keep)


def _trim(stream: Stream, partition: int, until: float) -> int:
    trimmed = 0
    try:
        first, keep = keeps_from(stream, partition)
        while first < keep and time.monotonic() < until:
            before = min(first + CHUNK, keep)
            with transaction.atomic():
                _count_unread(stream, partition, first=first, before=before)
                trimmed += engine().trim(stream.name, partition, before)
            first = before
    except BrokerError as error:
        logger.warning("stream_not_trimmed", stream=stream.name, partition=partition, error=str(error))
    if trimmed:
        logger.info("stream_trimmed", stream=stream.name, partition=partition, entries=trimmed)
    return trimmed


def _first_since(stream: str, partition: int, moment: datetime, first: int, end: int) -> int:
    """The first entry as young as `moment`: halving until it is near, then entry by entry."""

    def is_young(entry: Entry) -> bool:
        return (published_at(entry) or moment) >= moment  # what nobody can read is for the size to trim

    while first < end:
        middle = (first + end) // 2
        entries = engine().read(stream, partition, middle, limit=LOOK)
        if not entries or any(map(is_young, entries)):
            end = middle
        else:
            first = entries[-1].offset + 1
    near = engine().read(stream, partition, first, limit=LOOK)
    return next((entry.offset for entry in near if is_young(entry)), near[-1].offset + 1 if near else first)


def _first_within(stream: str, partition: int, size: int, first: int, end: int) -> int:
    """The first offset from which the log is no longer than `size` bytes: halving, to within a hundredth."""
    if end == first or _weight(stream, partition, first, end) <= size:
        return first
    keep = _halved(stream, partition, size, first, end)
    if end - keep > SHORT:
        return keep
    first = max(first, end - SHORT)
    left = size
    for entry in engine().read(stream, partition, first, limit=SHORT)[::-1]:
        left -= _bytes(entry)
        if left < 0:
            return entry.offset + 1
    return first


def _halved(stream: str, partition: int, size: int, first: int, end: int) -> int:
    low, high = first, end
    while high - low > max(1, (end - high) // 100):
        middle = (low + high) // 2
        if _weight(stream, partition, middle, end) > size:
            low = middle
        else:
            high = middle
    return high


def _weight(stream: str, partition: int, first: int, end: int) -> float:
    """About how many bytes the log has from an offset on; exactly, where it is short."""
    if end - first <= SHORT:
        return sum(map(_bytes, engine().read(stream, partition, first, limit=SHORT)))
    step = (end - first) / SAMPLES
    starts = [first + int(number * step) for number in range(SAMPLES)]
    looks = [engine().read(stream, partition, start, limit=LOOK) for start in starts]
    sizes = [_bytes(entry) for entries in looks for entry in entries]
    return (end - first) * sum(sizes) / max(1, len(sizes))


def _bytes(entry: Entry) -> int:
    return len(json.dumps(entry.body, ensure_ascii=False, separators=(",", ":")).encode())


def _groups(stream: Stream) -> list[str]:
    return [group.name for group in current_topology().groups if group.stream == stream.name]


def _read_up_to(stream: Stream, partition: int) -> Sequence[int]:
    """The next offset of each group that reads the stream; 0 for one that has not begun."""
    with connection.cursor() as cursor:
        cursor.execute(_READ_BY, [_groups(stream), stream.name, partition])
        return [offset for _, offset in cursor.fetchall()]


def _count_unread(stream: Stream, partition: int, *, first: int, before: int) -> None:
    values: dict[str, Any] = {
        "groups": _groups(stream),
        "stream": stream.name,
        "partition": partition,
        "first": first,
        "before": before,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_UNREAD, values)
        for (group,) in cursor.fetchall():
            logger.warning("unread_trimmed", group=group, stream=stream.name, partition=partition, before=before)
