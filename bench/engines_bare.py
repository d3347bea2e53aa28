"""What each server's own client does with bytes alone, as its manual shows it: the baselines of `bench/engines.py`."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import aio_pika
import redis
from aio_pika.abc import AbstractIncomingMessage
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic


class BareClient(Protocol):
    """Appends batches of bodies to a log, and reads them back."""

    def declare(self, stream: str) -> None:
        """Make the log."""

    def append(self, stream: str, bodies: Sequence[bytes]) -> None:
        """Send a batch, and wait until the server has confirmed all of it."""

    def read(self, stream: str, *, count: int, batch: int) -> None:
        """Read so many bodies from the beginning, in batches."""

    def close(self) -> None:
        """Let go of the server."""


class BareRedis:
    """A pipeline of XADD a batch; XRANGE."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)

    def declare(self, stream: str) -> None:
        self._client.delete(stream)

    def append(self, stream: str, bodies: Sequence[bytes]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for body in bodies:
            pipe.xadd(stream, {b"body": body})
        pipe.execute()

    def read(self, stream: str, *, count: int, batch: int) -> None:
        last: Any = "-"
        while count > 0:
            rows: Any = self._client.xrange(stream, min=last, count=batch)
            last, count = b"(" + rows[-1][0], count - len(rows)

    def close(self) -> None:
        self._client.close()


class BareKafka:
    """An idempotent producer that flushes each batch; a consumer that is assigned the partition."""

    def __init__(self, url: str) -> None:
        self._settings: dict[str, Any] = {"bootstrap.servers": urlsplit(url).netloc}
        self._producer = Producer(self._settings | {"acks": "all", "enable.idempotence": True, "linger.ms": 5})
        # As ours: or it would wait for half a second where nothing is, and not say that it has seen all.
        usual = {"group.id": "bare", "fetch.wait.max.ms": 20, "enable.partition.eof": True}
        self._consumer = Consumer(self._settings | usual | {"auto.offset.reset": "earliest"})

    def declare(self, stream: str) -> None:
        admin = AdminClient(self._settings)  # to be kept until it has answered
        admin.create_topics([NewTopic(stream, num_partitions=1)])[stream].result(5)
        # Until it says that there is nothing: or it would find the partition's leader while it is measured.
        self._consumer.assign([TopicPartition(stream, 0, 0)])
        self._consumer.consume(1, 5)
        self._consumer.unassign()

    def append(self, stream: str, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self._producer.produce(stream, partition=0, value=body)
        self._producer.flush(10)

    def read(self, stream: str, *, count: int, batch: int) -> None:
        self._consumer.assign([TopicPartition(stream, 0, 0)])
        while count > 0:
            count -= sum(event.error() is None for event in self._consumer.consume(min(batch, count), 5))

    def close(self) -> None:
        self._consumer.close()


class BareRabbit:
    """Publishing with the confirms of a batch awaited together; a consumer of the stream."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._run(self._connect(url))

    async def _connect(self, url: str) -> None:
        self._connection = await aio_pika.connect(url)
        self._channel = await self._connection.channel()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def declare(self, stream: str) -> None:
        self._run(self._declare(stream))

    async def _declare(self, stream: str) -> None:
        await self._channel.declare_queue(stream, durable=True, arguments={"x-queue-type": "stream"})

    def append(self, stream: str, bodies: Sequence[bytes]) -> None:
        self._run(self._append(stream, bodies))

    async def _append(self, stream: str, bodies: Sequence[bytes]) -> None:
        exchange = self._channel.default_exchange
        await asyncio.gather(*(exchange.publish(aio_pika.Message(body), routing_key=stream) for body in bodies))

    def read(self, stream: str, *, count: int, batch: int) -> None:
        self._run(self._read(stream, count, batch))

    async def _read(self, stream: str, count: int, batch: int) -> None:
        channel = await self._connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=2 * batch)
        queue, done, seen = await channel.get_queue(stream), asyncio.Event(), 0

        async def receive(letter: AbstractIncomingMessage) -> None:
            nonlocal seen
            seen += 1
            if seen % batch == 0:
                await letter.ack(multiple=True)
            if seen == count:
                done.set()

        await queue.consume(receive, arguments={"x-stream-offset": "first"})
        await done.wait()
        await channel.close()

    def close(self) -> None:
        self._run(self._connection.close())
        self._loop.close()
