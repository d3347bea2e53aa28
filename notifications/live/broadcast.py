"""Releases that are due at the same time, on their way to many connections: each gets its own in one write."""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from .connection import Connection
from .frames import Burst, Outgoing
from .posted import Posted

MAX_RELEASES = 64
MAX_RECEIVERS = 64_000  # of all releases together: who gets what is decided without a pause
MAX_BYTES = 32 * 1024  # a client's part is well below what may wait for it


class Part(NamedTuple):
    """What some receivers get: as it goes out, and what it tells of."""

    outgoing: Outgoing
    postings: Sequence[Posted]


class Broadcast:
    """Who gets which frames, decided at one moment."""

    def __init__(self) -> None:
        self.to_reset: set[Connection] = set()
        self.pushed = 0  # frames that were asked for so far
        self._added: list[tuple[int, Posted, set[Connection]]] = []  # with a bit for each
        self._parts: dict[int, Part] = {}  # by the bits of what is in them
        self._room = MAX_RECEIVERS
        self._bytes = MAX_BYTES

    def add(self, posted: Posted, receivers: set[Connection]) -> None:
        """Send a posting to these, after those that were added before."""
        self._added.append((1 << len(self._added), posted, receivers))
        self._room -= len(receivers)
        self._bytes -= len(posted.frame.wire)

    def reset(self, connections: set[Connection]) -> None:
        """Tell these to load their lists again, instead of whatever was added for them."""
        self.to_reset |= connections

    @property
    def is_full(self) -> bool:
        """Whether what else is due has to wait for the next broadcast."""
        return len(self._added) >= MAX_RELEASES or self._room <= 0 or self._bytes <= 0

    def receivers(self) -> set[Connection]:
        """Everybody who gets something."""
        return set().union(*(receivers for _, _, receivers in self._added))

    def part_of(self, connection: Connection) -> Part:
        """All that one of them gets; made once for all who get the same."""
        bits = 0
        for bit, _, receivers in self._added:
            if connection in receivers:
                bits |= bit
        self.pushed += bits.bit_count()
        return self._parts.get(bits) or self._make(bits)

    def _make(self, bits: int) -> Part:
        postings = [posted for bit, posted, _ in self._added if bits & bit]
        frames = [posted.frame for posted in postings]
        self._parts[bits] = part = Part(frames[0] if len(frames) == 1 else Burst(frames), postings)
        return part

    def reached(self) -> Iterator[tuple[int, Iterator[int]]]:
        """Each notification, with the viewers that it was for; theirs are drawn when somebody counts them."""
        for _, posted, receivers in filter(itemgetter(2), self._added):
            yield posted.notification, (connection.identity.viewer_id for connection in receivers)
