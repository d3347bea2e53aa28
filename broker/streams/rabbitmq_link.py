"""One AMQP connection to RabbitMQ, on the event loop that runs: publishing into streams, and places to read them at.

Traps of its streams: a prefetch is mandatory, `nack` is refused, only asking for the count tells nothing exact, and
publishing is ten times faster when a batch's confirms are awaited together.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from functools import partial

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from pamqp.common import FieldValue

from broker.messages import Message

from .base import Entry, decode, encode
from .cursors import Cursor, Cursors

CONNECT_SECONDS = 1.5
HEARTBEAT_SECONDS = 10
PREFETCH = 1_000  # entries that were sent to us and not passed yet
FIRST_SECONDS = 0.05  # within which the server begins to send, where there is anything, unless it is busy
LATE_SECONDS = 5.0
QUESTIONS = 5  # that the server has answered before we believe that it has nothing to send
_STREAM: dict[str, FieldValue] = {"x-queue-type": "stream"}

# It warns of each lost connection with a trace of its own inside; whoever needed the connection is told anyway.
logging.getLogger("aiormq").setLevel(logging.ERROR)


class Link:
    """A connection with what stands on it; after an error it is closed and another one opened."""

    def __init__(self, connection: AbstractConnection, publisher: AbstractChannel) -> None:
        self._connection, self._publisher = connection, publisher
        self._confirmed: dict[str, int] = {}  # messages by queue: the log is as long at least
        self._cursors = Cursors(self._open_cursor, RabbitCursor.abandon)

    @classmethod
    async def open(cls, url: str) -> "Link":
        """Connect. Raises what the client raises."""
        connection = aio_pika.Connection(aio_pika.connection.make_url(url, heartbeat=HEARTBEAT_SECONDS))
        try:
            await connection.connect(timeout=CONNECT_SECONDS)
            return cls(connection, await connection.channel(on_return_raises=True))
        except BaseException:
            await _close(connection)
            raise

    @property
    def is_open(self) -> bool:
        """Whether it can still be used, as far as this side knows."""
        return self._connection.connected.is_set() and not self._publisher.is_closed

    async def close(self) -> None:
        """Let go of the connection and all that stands on it."""
        await _close(self._connection)

    async def append(self, stream: str, partition: int, messages: Sequence[Message]) -> None:
        """Publish in order and wait until every message is confirmed."""
        name = await self._declare(stream, partition)
        exchange = self._publisher.default_exchange
        letters = (aio_pika.Message(encode(message)) for message in messages)
        await asyncio.gather(*(exchange.publish(letter, routing_key=name) for letter in letters))
        self._confirmed[name] += len(messages)

    async def read(self, stream: str, partition: int, from_offset: int, *, limit: int) -> list[Entry]:
        """What the engine's `read` returns."""
        name = await self._declare(stream, partition)
        with self._cursors.at(stream, partition, from_offset) as cursor:
            await cursor.move_to(from_offset, has_entries=from_offset < self._confirmed[name])
            return cursor.first(limit)

    async def end(self, stream: str, partition: int) -> int:
        """The offset behind the last entry: the server begins at its last chunk, and sends that to its end."""
        name = await self._declare(stream, partition)
        cursor = self._open_cursor(stream, partition)
        try:
            await cursor.subscribe("last", has_entries=self._confirmed[name] > 0)
            return cursor.next_offset
        finally:
            cursor.abandon()

    def _open_cursor(self, stream: str, partition: int) -> "RabbitCursor":
        return RabbitCursor(self._connection, queue_name(stream, partition))

    async def _declare(self, stream: str, partition: int) -> str:
        name = queue_name(stream, partition)
        if name not in self._confirmed:
            await self._publisher.declare_queue(name, durable=True, arguments=_STREAM)
            self._confirmed.setdefault(name, 0)
        return name


class RabbitCursor(Cursor):
    """A subscription that the server keeps sending to, as far as the prefetch goes."""

    def __init__(self, connection: AbstractConnection, name: str) -> None:
        super().__init__()
        self._connection, self._name = connection, name
        self._channel: AbstractChannel | None = None
        self._arrived = asyncio.Event()
        self._unacknowledged: deque[tuple[int, AbstractIncomingMessage]] = deque()

    async def move_to(self, offset: int, *, has_entries: bool) -> None:
        """Stand at `offset`, with entries from there on in memory, unless there is none."""
        if self._channel is None or self._channel.is_closed or not self.covers(offset):
            await self.subscribe(offset, has_entries=has_entries)
            return
        self.pass_to(offset)
        await self._acknowledge(offset)
        if not self.entries:
            await self._settle(self._channel)

    async def subscribe(self, place: int | str, *, has_entries: bool) -> None:
        """Begin anew at an offset, or at the `last` chunk, and wait for what the server sends at once.

        `has_entries` says that it is known to have something to send. Raises `TimeoutError` when it does not.
        """
        self.abandon()
        self.begin(place if isinstance(place, int) else 0)
        self._arrived.clear()
        self._unacknowledged.clear()
        channel = self._channel = await self._connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.declare_queue(self._name, passive=True)
        await queue.consume(partial(self._receive, channel), arguments={"x-stream-offset": place})
        if await self._hears(channel, place, has_entries=has_entries):
            await self._settle(channel)

    def abandon(self) -> None:
        """Let the subscription go, without waiting for it."""
        if self._channel is not None:
            closing = asyncio.ensure_future(self._channel.close())
            _closing.add(closing)
            closing.add_done_callback(_forget)
            self._channel = None

    async def _hears(self, channel: AbstractChannel, place: int | str, *, has_entries: bool) -> bool:
        """Wait for the first entry; False when there is none."""
        try:
            await asyncio.wait_for(self._arrived.wait(), FIRST_SECONDS)
        except TimeoutError:
            # The server's count is seconds old, and never too high in a log that it has not trimmed just now.
            counted = max([await self._settle(channel) for _ in range(QUESTIONS)])
            if has_entries or counted > (place if isinstance(place, int) else 0):
                await asyncio.wait_for(self._arrived.wait(), LATE_SECONDS)
        return self._arrived.is_set()

    async def _settle(self, channel: AbstractChannel) -> int:
        """Wait until what the server had to send by now is here: it answers a question after what it sent before.

        The answer is how many entries it counted lately.
        """
        queue = await channel.declare_queue(self._name, passive=True)
        for _ in range(3):  # a delivery passes through as many tasks
            await asyncio.sleep(0)
        return queue.declaration_result.message_count or 0

    async def _receive(self, channel: AbstractChannel, letter: AbstractIncomingMessage) -> None:
        if channel is not self._channel:
            return  # sent to a subscription that was let go
        offset = int(str(letter.headers["x-stream-offset"]))
        self._unacknowledged.append((offset, letter))
        self.add(decode(offset=offset, body=letter.body))
        self._arrived.set()

    async def _acknowledge(self, before: int) -> None:
        last = None
        while self._unacknowledged and self._unacknowledged[0][0] < before:
            _, last = self._unacknowledged.popleft()
        if last is not None:
            await last.ack(multiple=True)


async def _close(connection: AbstractConnection) -> None:
    try:
        await connection.close()
    finally:
        if (
            not connection.is_closed
        ):  # a lost one fails to close the first time, and would complain when it is collected
            await connection.close()


_closing: set[asyncio.Future[None]] = set()  # or they could be collected before they are done


def _forget(closing: asyncio.Future[None]) -> None:
    _closing.discard(closing)
    if not closing.cancelled():
        closing.exception()  # a channel that cannot be closed was closed already


def queue_name(stream: str, partition: int) -> str:
    """The queue that holds one partition."""
    return f"{stream}.{partition}"
