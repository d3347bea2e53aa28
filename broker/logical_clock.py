"""A hybrid logical clock: stamps that follow the machine's clock, and still order causes before their effects.

After S. Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in Globally Distributed Databases", 2014.
A stamp is 48 bits of milliseconds and a counter of 16 below them, so stamps compare as numbers, and as text. What a
process stamps is greater than all it stamped before and than all that it handled, also when its own clock is behind
or is set back. Two stamps of which neither could know the other are in *some* order: that says nothing of causes.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from .messages import Message

COUNTER_BITS = 16
MAX_AHEAD_MS = 3_600_000  # one machine with a broken clock must not drag all others along


def wall_ms() -> int:
    """This machine's clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class HybridClock:
    """One for a process; its threads share it."""

    def __init__(self, wall: Callable[[], int] = wall_ms) -> None:
        self._wall = wall
        self._last = 0
        self._lock = threading.Lock()

    def tick(self) -> int:
        """The next stamp. A counter that is full carries over into the milliseconds."""
        now = self._wall() << COUNTER_BITS
        with self._lock:
            self._last = max(self._last + 1, now)
            return self._last

    def merge(self, stamp: int) -> bool:
        """Never stamp anything at or below `stamp` again; False for one so far ahead that it is not believed."""
        if stamp >> COUNTER_BITS > self._wall() + MAX_AHEAD_MS:
            return False
        with self._lock:
            self._last = max(self._last, stamp)
        return True


clock = HybridClock()


def stamped(message: Message) -> Message:
    """The message with the next stamp of this process."""
    return replace(message, hlc=as_text(clock.tick()))


def observe(message: Message) -> None:
    """What this process stamps from now on comes after `message`. A stamp that nobody can read is passed over."""
    try:
        clock.merge(int(message.hlc, 16))
    except ValueError:
        return


def as_text(stamp: int) -> str:
    """16 hexadecimal digits, which sort as the stamps do."""
    return f"{stamp:016x}"
