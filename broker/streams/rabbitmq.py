"""The stream engine on RabbitMQ's streams over AMQP 0-9-1: a queue with `x-queue-type: stream` a partition."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from aio_pika.exceptions import AMQPError

from broker.errors import CannotTrim, StreamsUnavailable
from broker.messages import Message

from .base import Entry, Features
from .rabbitmq_link import Link, queue_name

ANSWER_SECONDS = 10.0
# The client tells of a lost connection in many ways, cancelled tasks among them.
_LOST = (AMQPError, OSError, TimeoutError, asyncio.CancelledError, RuntimeError)

T = TypeVar("T")


class RabbitStreams:
    """The client is asynchronous: it lives on an event loop in a thread of its own, and the verbs wait for it."""

    joins_transaction = False
    features = Features(
        trims=False,
        retention="a policy of the server, max-age or max-length-bytes; without one, for ever",
        tools="rabbitmqctl and the management console: queues, lengths, clients",
        limits="A stream whose server is killed within a second of declaring the node's first one may not come back "
        "(3.10). What was confirmed is not yet on the disk: replicas make it durable",
    )

    def __init__(self, url: str) -> None:
        self._url = url
        self._start_lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._link: Link | None = None
        self._link_lock = asyncio.Lock()

    def append(self, stream: str, partition: int, messages: Sequence[Message]) -> None:
        self._run(lambda link: link.append(stream, partition, messages))

    def read(self, stream: str, partition: int, from_offset: int, *, limit: int) -> list[Entry]:
        return self._run(lambda link: link.read(stream, partition, from_offset, limit=limit))

    def end(self, stream: str, partition: int) -> int:
        return self._run(lambda link: link.end(stream, partition))

    def trim(self, stream: str, partition: int, before_offset: int) -> int:
        raise CannotTrim(f"RabbitMQ forgets by its own policy on the queue {queue_name(stream, partition)}")

    def close(self) -> None:
        """Let go of the connection; it is opened again when it is needed."""
        asyncio.run_coroutine_threadsafe(self._drop(self._link), self._running_loop()).result()

    def _run(self, use: Callable[[Link], Awaitable[T]]) -> T:
        return asyncio.run_coroutine_threadsafe(self._use(use), self._running_loop()).result()

    async def _use(self, use: Callable[[Link], Awaitable[T]]) -> T:
        link = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                link = await self._open_link()
                return await use(link)
        except _LOST as error:
            if link is not None:
                await self._drop(link)
            # The client raises one and the same error for each message that waited: its trace tells nothing.
            raise StreamsUnavailable(f"RabbitMQ: {str(error) or type(error).__name__}") from None

    async def _open_link(self) -> Link:
        async with self._link_lock:
            if self._link is not None and not self._link.is_open:
                await self._drop(self._link)
            if self._link is None:
                self._link = await Link.open(self._url)
            return self._link

    async def _drop(self, link: Link | None) -> None:
        if self._link is link:
            self._link = None
        if link is None:
            return
        try:
            async with asyncio.timeout(1):
                await link.close()
        except _LOST:
            return  # it was closed from the other side

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._start_lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="rabbitmq", daemon=True).start()
            return self._loop
