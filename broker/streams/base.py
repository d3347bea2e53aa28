"""What a stream engine is: four verbs. Ownership, offsets and watermarks are the same for all and live elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from broker.messages import Message


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a partition's log; `position` tells a duplicate (equal or less) from the next (greater)."""

    offset: int
    position: int
    body: Mapping[str, Any]


class StreamEngine(Protocol):
    """A log with partitions. Offsets of a partition grow; they need not be without holes.

    `joins_transaction` says whether an append is part of the caller's transaction, so that it is undone with it.
    """

    joins_transaction: bool

    def append(self, stream: str, partition: int, messages: Sequence[Message]) -> list[int]:
        """Append messages that have positions, in this order, and return their offsets."""

    def read(self, stream: str, partition: int, from_offset: int, *, limit: int) -> list[Entry]:
        """At most `limit` entries at `from_offset` and after, oldest first; what was trimmed is passed over."""

    def end(self, stream: str, partition: int) -> int:
        """The offset that the next entry will get."""

    def trim(self, stream: str, partition: int, before_offset: int) -> int:
        """Forget the entries before an offset and return how many there were."""
