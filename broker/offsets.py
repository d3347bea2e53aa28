"""Where to begin reading: the oldest entry, the end, a moment or an offset; by what every stream engine can do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .errors import InvalidTarget
from .streams import Entry, engine
from .topology import Stream

# Messages of different keys may lie a little out of the order of their times: the search begins so much earlier.
DISORDER = timedelta(minutes=5)
SCAN = 200  # entries read at once


class Anchor(StrEnum):
    """The two places that every log has."""

    EARLIEST = "earliest"
    LATEST = "latest"


Target = Anchor | datetime | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An offset, and the watermark with which a group handles everything from there on."""

    offset: int
    watermark: int


def parse_target(text: str) -> Target:
    """`earliest`, `latest`, an offset, or a time with its zone (ISO 8601). Raises `InvalidTarget`."""
    if text in list(Anchor):
        return Anchor(text)
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidTarget(text, "is none of: earliest, latest, an offset, a time such as 2026-01-31T20:00Z") from None
    if moment.utcoffset() is None:
        raise InvalidTarget(text, "has no time zone; add one, such as Z")
    return moment


def find(stream: str, partition: int, target: Target, *, cut: bool = False) -> int:
    """The offset that a target means in a partition.

    Raises `InvalidTarget` for an offset beyond the end; with `cut` that means the end.
    """
    end = engine().end(stream, partition)
    match target:
        case Anchor.LATEST:
            return end
        case Anchor.EARLIEST:
            return _earliest(stream, partition, end)
        case datetime():
            return _at(stream, partition, target, _earliest(stream, partition, end), end)
        case _:
            if target > end and not cut:
                raise InvalidTarget(str(target), f"is beyond the end of {stream}, partition {partition}, at {end}")
            return max(min(target, end), _earliest(stream, partition, end))


def place_at(stream: str, partition: int, offset: int, *, watermark: int) -> Place:
    """The place from which the entry at `offset` is the next to be handled; `watermark` is the present one.

    What stands before it is a duplicate from then on, should the relay append it again.
    """
    ahead = engine().read(stream, partition, offset, limit=SCAN)
    if entry := next((entry for entry in ahead if entry.position), None):  # what somebody else wrote has none
        return Place(offset=offset, watermark=entry.position - 1)
    last = _entry(stream, partition, offset - 1) if offset else None
    return Place(offset=offset, watermark=max(watermark, last.position) if last else watermark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Offsets of one partition, from `start` up to, and without, `end`."""

    stream: str
    partition: int
    start: int
    end: int

    def entries(self) -> Iterator[Entry]:
        """What stands there, oldest first."""
        offset = self.start
        while offset < self.end and (found := engine().read(self.stream, self.partition, offset, limit=SCAN)):
            yield from (entry for entry in found if entry.offset < self.end)
            offset = found[-1].offset + 1


def check_partition(stream: Stream, partition: int | None) -> None:
    """Raise `InvalidTarget` for one that the stream does not have; None stands for all."""
    if partition is not None and not 0 <= partition < stream.partitions:
        raise InvalidTarget(f"partition {partition}", f"is none of the {stream.partitions} of stream {stream.name!r}")


def ranges(stream: Stream, *, start: Target, until: Target, partition: int | None = None) -> list[Range]:
    """What lies between two targets in one partition or in all. Raises `InvalidTarget`."""
    check_partition(stream, partition)
    return [
        Range(
            stream=stream.name,
            partition=number,
            start=find(stream.name, number, start, cut=True),
            end=find(stream.name, number, until, cut=True),
        )
        for number in (range(stream.partitions) if partition is None else [partition])
    ]


def published_at(entry: Entry) -> datetime | None:
    """When an entry's message was made, by its publisher's clock; None when nobody can read it."""
    try:
        moment = datetime.fromisoformat(entry.body["time"])
    except (KeyError, TypeError, ValueError):
        return None
    return moment if moment.utcoffset() is not None else None


def _entry(stream: str, partition: int, offset: int) -> Entry | None:
    return next(iter(engine().read(stream, partition, offset, limit=1)), None)


def _earliest(stream: str, partition: int, end: int) -> int:
    first = _entry(stream, partition, 0)
    return first.offset if first else end


def _at(stream: str, partition: int, moment: datetime, first: int, end: int) -> int:
    """The first entry of that moment or later: halving, then looking one by one where the order is not certain."""
    low, high = first, end
    while low < high:
        middle = (low + high) // 2
        entry = _entry(stream, partition, middle)
        made = published_at(entry) if entry else None
        if entry is None or made is None or made >= moment - DISORDER:
            high = middle
        else:
            low = entry.offset + 1
    return _scan(stream, partition, moment, low, end)


def _scan(stream: str, partition: int, moment: datetime, start: int, end: int) -> int:
    while entries := engine().read(stream, partition, start, limit=SCAN):
        for entry in entries:
            made = published_at(entry)
            if made is not None and made >= moment:
                return entry.offset
        start = entries[-1].offset + 1
    return end
