"""Releases that are due at the same time, on their way to many connections: each gets its own in one write."""

from .connection import Connection
from .frames import Burst, Frame, Outgoing

MAX_RELEASES = 64
MAX_RECEIVERS = 64_000  # of all releases together: who gets what is decided without a pause
MAX_BYTES = 32 * 1024  # a client's part is well below what may wait for it


class Broadcast:
    """Who gets which frames, decided at one moment."""

    def __init__(self) -> None:
        self.to_reset: set[Connection] = set()
        self.pushed = 0  # frames that were asked for so far
        self._parts: list[tuple[int, Frame, set[Connection]]] = []  # with a bit for each
        self._outgoing: dict[int, Outgoing] = {}  # by the bits of what is in it
        self._room = MAX_RECEIVERS
        self._bytes = MAX_BYTES

    def add(self, frame: Frame, receivers: set[Connection]) -> None:
        """Send a frame to these, after those that were added before."""
        self._parts.append((1 << len(self._parts), frame, receivers))
        self._room -= len(receivers)
        self._bytes -= len(frame.wire)

    def reset(self, connections: set[Connection]) -> None:
        """Tell these to load their lists again, instead of whatever was added for them."""
        self.to_reset |= connections

    @property
    def is_full(self) -> bool:
        """Whether what else is due has to wait for the next broadcast."""
        return len(self._parts) >= MAX_RELEASES or self._room <= 0 or self._bytes <= 0

    def receivers(self) -> set[Connection]:
        """Everybody who gets something."""
        return set().union(*(receivers for _, _, receivers in self._parts))

    def outgoing_for(self, connection: Connection) -> Outgoing:
        """All that one of them gets; made once for all who get the same."""
        bits = 0
        for bit, _, receivers in self._parts:
            if connection in receivers:
                bits |= bit
        self.pushed += bits.bit_count()
        return self._outgoing.get(bits) or self._make(bits)

    def _make(self, bits: int) -> Outgoing:
        frames = [frame for bit, frame, _ in self._parts if bits & bit]
        self._outgoing[bits] = outgoing = frames[0] if len(frames) == 1 else Burst(frames)
        return outgoing
