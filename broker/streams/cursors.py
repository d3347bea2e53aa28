"""Places in logs that engines keep open between two reads, so that reading on need not begin anew."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Generic, TypeVar

from .base import Entry

MAX_IDLE = 4  # open places in one log that nobody is reading at


class Cursor:
    """What was fetched of one log from `start` on and is not yet passed.

    A group that stops in the middle of what it read, or tries a message again, comes back to an offset before the last
    one fetched: that is answered from memory.
    """

    def __init__(self) -> None:
        self.start = self.next_offset = 0
        self.entries: deque[Entry] = deque()

    def covers(self, offset: int) -> bool:
        """Whether reading on from `offset` needs no new beginning."""
        return self.start <= offset <= self.next_offset

    def begin(self, offset: int) -> None:
        """Forget everything and stand at `offset`."""
        self.start = self.next_offset = offset
        self.entries.clear()

    def pass_to(self, offset: int) -> None:
        """Forget what lies before `offset`."""
        while self.entries and self.entries[0].offset < offset:
            self.entries.popleft()
        self.start = offset

    def add(self, entry: Entry) -> None:
        """Keep the entry that was fetched next; one before the place asked for is not kept."""
        if entry.offset >= self.next_offset:
            self.entries.append(entry)
            self.next_offset = entry.offset + 1

    def first(self, limit: int) -> list[Entry]:
        """At most `limit` of the entries at hand."""
        return list(islice(self.entries, limit))


C = TypeVar("C", bound=Cursor)


class Cursors(Generic[C]):
    """The idle cursors of an engine; a thread takes one out for as long as it reads."""

    def __init__(self, open_: Callable[[str, int], C], close: Callable[[C], object]) -> None:
        self._open, self._close = open_, close
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, int], list[C]] = defaultdict(list)

    @contextmanager
    def at(self, stream: str, partition: int, offset: int | None = None) -> Iterator[C]:
        """A cursor for the block's own use, one that stands at `offset` if there is one; closed after an error."""
        cursor = self._take(stream, partition, offset) or self._open(stream, partition)
        try:
            yield cursor
        except BaseException:
            self._close(cursor)
            raise
        with self._lock:
            idle = self._idle[stream, partition]
            idle.append(cursor)
            oldest = idle.pop(0) if len(idle) > MAX_IDLE else None
        if oldest is not None:
            self._close(oldest)

    def _take(self, stream: str, partition: int, offset: int | None) -> C | None:
        with self._lock:
            idle = self._idle[stream, partition]
            found = next((cursor for cursor in idle if offset is None or cursor.covers(offset)), None)
            if found is not None:
                idle.remove(found)
            return found

    def close(self) -> None:
        """Close every idle cursor."""
        with self._lock:
            idle = [cursor for cursors in self._idle.values() for cursor in cursors]
            self._idle.clear()
        for cursor in idle:
            self._close(cursor)
