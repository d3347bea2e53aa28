"""What a stream engine is: four verbs. Ownership, progress and watermarks are the same for all and live elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from broker.messages import Message, parse, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """All that engines differ in, for whoever chooses one; everything else the conformance suite asks of each."""

    trims: bool  # whether `trim` works; where not, the server forgets by its own rules
    retention: str
    tools: str  # what of the server's own shows streams and groups
    limits: str


class Entry(NamedTuple):
    """One entry of a partition's log; `position` tells a duplicate (equal or less) from the next (greater)."""

    offset: int
    position: int
    body: Mapping[str, Any]


Log = tuple[str, int]  # a stream and one of its partitions


class OutboxRow(Protocol):
    """A message as it stands in the outbox, by the id of its row; `position` is the one that it gets."""

    @property
    def id(self) -> int: ...

    @property
    def position(self) -> int: ...


class StreamEngine(Protocol):
    """A log with partitions; one object serves every thread of a process.

    Offsets of a partition grow; they need not be without holes. A log that was never written to is empty. Every verb
    raises `StreamsUnavailable` when the server cannot be reached or does not answer in time, and may be called again.

    `joins_transaction` says whether an append is part of the caller's transaction, so that it is undone with it.
    """

    features: Features
    joins_transaction: bool

    def append(self, stream: str, partition: int, messages: Sequence[Message]) -> None:
        """Append messages that have positions, in this order; they are kept by the server when this returns.

        After an error any number of them may have been appended, but never one without all that come before it: the
        relay repeats the batch, and groups skip what is not above their watermark.
        """

    def read(self, stream: str, partition: int, from_offset: int, *, limit: int) -> list[Entry]:
        """At most `limit` entries at `from_offset` and after, oldest first; what was trimmed is passed over.

        Empty means that there is none.
        """

    def end(self, stream: str, partition: int) -> int:
        """The offset that the next entry will get."""

    def trim(self, stream: str, partition: int, before_offset: int) -> int:
        """Forget the entries before an offset and return how many there were. May raise `CannotTrim`."""


@runtime_checkable
class OutboxTaker(Protocol):
    """An engine whose log stands beside the outbox: what goes there as it was published need not leave the server."""

    def take(self, stream: str, partition: int, rows: Sequence[OutboxRow]) -> None:
        """Append what stands in these rows, in this order and in the caller's transaction."""


@runtime_checkable
class OffsetMirror(Protocol):
    """An engine whose server has groups of its own, with tools that show their lag."""

    def mirror(self, group: str, stream: str, offsets: Mapping[int, int]) -> None:
        """Note a group's next offset by partition. Nothing reads it back. Raises `StreamsUnavailable`."""


def encode(message: Message) -> bytes:
    """A message as the servers keep it."""
    return to_text(message).encode()


def decode(*, offset: int, body: bytes | None) -> Entry:
    """What `encode` wrote, at its place in a log.

    What somebody else wrote into it, with tools of the server's own, has no position: it gets 0, so groups pass it.
    """
    try:
        read = parse(body or b"")
    except ValueError:
        return Entry(offset, 0, {})
    position = read.get("position") if isinstance(read, dict) else None
    return Entry(offset, position, read) if isinstance(position, int) else Entry(offset, 0, {})
