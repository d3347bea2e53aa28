"""Where a member stands in a partition that it owns. Every write says `WHERE generation = mine`, or changes nothing."""

import time
from dataclasses import dataclass
from typing import Any

from django.db import connection

from .errors import LeaseLost

_COMMIT = """
    UPDATE broker_grouppartition
    SET next_offset = %(next_offset)s, watermark = %(watermark)s, expired_count = expired_count + %(expired)s,
        attempts = 0, next_attempt_at = NULL, last_error = ''
    WHERE "group" = %(group)s AND stream = %(stream)s AND partition = %(partition)s AND generation = %(generation)s
"""
_POSTPONE = """
    UPDATE broker_grouppartition
    SET next_offset = %(next_offset)s, watermark = %(watermark)s, expired_count = expired_count + %(expired)s,
        attempts = %(attempts)s, next_attempt_at = now() + make_interval(secs => %(delay)s), last_error = %(error)s
    WHERE "group" = %(group)s AND stream = %(stream)s AND partition = %(partition)s AND generation = %(generation)s
"""
_LOCK = """
    SELECT watermark FROM broker_grouppartition
    WHERE "group" = %(group)s AND stream = %(stream)s AND partition = %(partition)s AND generation = %(generation)s
    FOR UPDATE
"""
_FENCE = """
    UPDATE broker_grouppartition
    SET owner = '', generation = generation + 1, singly_until = greatest(singly_until, %(singly_until)s)
    WHERE "group" = %(group)s AND stream = %(stream)s AND partition = %(partition)s AND generation = %(generation)s
"""
BEGUN = "Begun, and not ended"  # by a process that may have died of it


@dataclass(slots=True, kw_only=True)
class Progress:
    """A partition's place in memory; what `commit` and `postpone` wrote is what a next owner starts from.

    `watermark` is the position last handled or passed: entries at or below it are duplicates. Passing entries costs
    nothing until the next commit.
    """

    group: str
    stream: str
    partition: int
    generation: int
    next_offset: int
    watermark: int
    attempts: int = 0
    singly_until: int = 0  # before this offset, each message by itself
    is_taken_over: bool = False  # from a member that did not let go of it: it may have died of a message
    retry_at: float = 0.0  # on this machine's monotonic clock
    expired: int = 0  # counted since the last commit
    is_dirty: bool = False

    def is_due(self) -> bool:
        """Whether the message in front may be tried."""
        return time.monotonic() >= self.retry_at

    def passed(self, *, offset: int, position: int) -> None:
        """Go beyond an entry, in memory."""
        self.next_offset = offset + 1
        self.watermark = max(self.watermark, position)
        self.attempts, self.is_dirty = 0, True

    def restore(self, before: "Progress") -> None:
        """Go back to where a copy was made: the transaction that was to write this down did not commit."""
        self.next_offset, self.watermark = before.next_offset, before.watermark
        self.attempts, self.expired, self.is_dirty = before.attempts, before.expired, before.is_dirty

    def commit(self) -> None:
        """Write the place down, in the caller's transaction if there is one. Raises `LeaseLost`."""
        self._write(_COMMIT)

    def flush(self) -> None:
        """Write the place down if entries were passed since it last was. Raises `LeaseLost`."""
        if self.is_dirty:
            self.commit()

    def postpone(self, *, delay: float, error: str) -> None:
        """Let the message in front wait; a next owner continues the count. Raises `LeaseLost`."""
        self.attempts += 1
        self._write(_POSTPONE, attempts=self.attempts, delay=delay, error=error)
        self.retry_at = time.monotonic() + delay

    def suspect(self, *, before: int) -> None:
        """Let each message before this offset be handled by itself: one of them may have killed the last owner."""
        self.singly_until, self.is_taken_over = max(self.singly_until, before), False

    def note_attempt(self) -> None:
        """Count an attempt before it is made, for the next owner: should this process die in it. Raises `LeaseLost`."""
        self._write(_POSTPONE, attempts=self.attempts + 1, delay=0, error=BEGUN)

    def lock(self) -> int:
        """Keep others from writing until the transaction ends; the watermark as written. Raises `LeaseLost`."""
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, self._values())
            row = cursor.fetchone()
        if row is None:
            raise self._lost()
        watermark: int = row[0]
        return watermark

    def fence(self) -> None:
        """Let go of the partition, and let nothing more be written under this generation. Raises `LeaseLost`."""
        self._write(_FENCE)

    def _write(self, statement: str, **values: float | str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, self._values() | values)
            if not cursor.rowcount:
                raise self._lost()
        self.expired, self.is_dirty = 0, False

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"{self.group}, partition {self.partition}, generation {self.generation}")

    def _values(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "stream": self.stream,
            "partition": self.partition,
            "generation": self.generation,
            "next_offset": self.next_offset,
            "watermark": self.watermark,
            "expired": self.expired,
            "singly_until": self.singly_until,
        }
