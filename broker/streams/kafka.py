"""The stream engine on Kafka: a topic a stream, its partitions and offsets as they are."""

import atexit
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Delivered
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from broker.current import partitions_of
from broker.errors import CannotTrim, StreamsUnavailable
from broker.messages import Message

from .base import Entry, Features, encode
from .cursors import Cursors
from .growth import Growth
from .kafka_cursor import ANSWER_SECONDS, SETTINGS, KafkaCursor

APPEND_SECONDS = 5.0
MAX_MESSAGE_BYTES = 2 * 1024 * 1024
_CLIENT = {
    "client.id": "marquee",
    "reconnect.backoff.max.ms": 1_000,
    "log_level": 2,  # what a lost connection means is said by whoever needed it
}
# Idempotence keeps the order where the client repeats a request, and no message may time out on its own: one that did
# would leave a gap before those that follow it.
_PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "message.timeout.ms": 0,
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "linger.ms": 5,
}
_TOPIC = {"retention.ms": "-1", "max.message.bytes": str(MAX_MESSAGE_BYTES)}


class KafkaStreams:
    """One producer for all threads, and a consumer for each place that is being read at."""

    joins_transaction = False
    features = Features(
        trims=True,
        retention="nothing: topics are made with `retention.ms=-1`",
        tools="kafka-topics, kafka-console-consumer, kafka-ui; kafka-consumer-groups shows each group's lag",
        limits="2 MiB a message. acks=all waits for the replicas, not for their disks: replication makes it durable",
    )

    def __init__(self, url: str, *, partitions: Callable[[str], int] = partitions_of) -> None:
        """`partitions` tells how many a stream has; what stands behind `?` in the address goes to librdkafka."""
        address = urlsplit(url)
        self._settings: dict[str, Any] = {
            **_CLIENT,
            "bootstrap.servers": address.netloc,
            **dict(parse_qsl(address.query)),
        }
        self._partitions = partitions
        self._append_lock, self._topic_lock, self._mirror_lock = threading.Lock(), threading.Lock(), threading.Lock()
        self._producer: Producer | None = None
        self._topics: set[str] = set()
        self._mirrors: dict[str, Consumer] = {}
        self._growth = Growth()
        self._readers = Cursors(self._open, KafkaCursor.close)
        self._enders = Cursors(self._open, KafkaCursor.close)
        atexit.register(self.close)

    def append(self, stream: str, partition: int, messages: Sequence[Message]) -> None:
        delivery = _Delivery(missing=len(messages))
        with _translated(), self._append_lock:
            self._ensure(stream)
            producer, self._producer = self._producer or Producer(self._settings | _PRODUCER), None
            for message in messages:
                producer.produce(
                    stream,
                    partition=partition,
                    key=message.key.encode(),
                    value=encode(message),
                    on_delivery=delivery.note,
                )
            producer.flush(APPEND_SECONDS)
            if delivery.missing or delivery.error:
                producer.purge()  # nothing more of this batch may go out
                raise StreamsUnavailable(f"Kafka: {delivery.error or 'it does not confirm what was sent'}")
            self._producer = producer
        self._growth.appended(stream, partition, first=delivery.first, end=delivery.end)

    def read(self, stream: str, partition: int, from_offset: int, *, limit: int) -> list[Entry]:
        with _translated():
            self._ensure(stream)
            with self._readers.at(stream, partition, from_offset) as cursor:
                cursor.move_to(from_offset)
                if not cursor.entries:
                    cursor.fetch()
                cursor.fill(limit)
                return cursor.first(limit)

    def end(self, stream: str, partition: int) -> int:
        with _translated():
            self._ensure(stream)
            with self._enders.at(stream, partition) as cursor:
                return cursor.find_end()

    def trim(self, stream: str, partition: int, before_offset: int) -> int:
        before = min(before_offset, self.end(stream, partition))
        with _translated():
            with self._enders.at(stream, partition) as cursor:
                first, _ = cursor.bounds()
            if before <= first:
                return 0
            admin, place = self._admin(), TopicPartition(stream, partition, before)
            for future in admin.delete_records([place], request_timeout=ANSWER_SECONDS).values():
                future.result(ANSWER_SECONDS * 2)
        return before - first

    def mirror(self, group: str, stream: str, offsets: Mapping[int, int]) -> None:
        """Commit a group's offsets under its name, for Kafka's own tools: nothing of ours reads them back."""
        places = [TopicPartition(stream, partition, offset) for partition, offset in offsets.items()]
        with _translated(), self._mirror_lock:
            if group not in self._mirrors:
                self._mirrors[group] = Consumer(self._settings | SETTINGS | {"group.id": group})
            self._mirrors[group].commit(offsets=places, asynchronous=True)

    def close(self) -> None:
        """Let the clients go: one that is collected open, when its server is away, can block the whole process."""
        self._readers.close()
        self._enders.close()
        with self._mirror_lock:
            while self._mirrors:
                self._mirrors.popitem()[1].close()
        with self._append_lock:
            self._producer = None

    def _open(self, stream: str, partition: int) -> KafkaCursor:
        return KafkaCursor(self._settings, stream, partition)

    def _admin(self) -> AdminClient:
        return AdminClient(self._settings)

    def _ensure(self, stream: str) -> None:
        """Make the topic if it is missing, and give it the partitions that it lacks."""
        with self._topic_lock:
            if stream in self._topics:
                return
            wanted, admin = self._partitions(stream), self._admin()
            try:
                topic = NewTopic(stream, num_partitions=wanted, config=_TOPIC)
                admin.create_topics([topic], request_timeout=ANSWER_SECONDS)[stream].result(ANSWER_SECONDS * 2)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
                if len(admin.list_topics(stream, timeout=ANSWER_SECONDS).topics[stream].partitions) < wanted:
                    grown = NewPartitions(stream, wanted)
                    admin.create_partitions([grown], request_timeout=ANSWER_SECONDS)[stream].result(ANSWER_SECONDS * 2)
            self._topics.add(stream)


class _Delivery:
    """What became of a batch: called back for each message."""

    def __init__(self, *, missing: int) -> None:
        self.missing = missing
        self.first = self.end = 0
        self.error: KafkaError | None = None

    def note(self, error: KafkaError | None, message: Delivered) -> None:
        if error is not None:
            self.error = self.error or error
            return
        offset = message.offset() or 0
        self.first = min(self.first, offset) if self.end else offset
        self.end = max(self.end, offset + 1)
        self.missing -= 1


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FutureTimeout as error:
        raise StreamsUnavailable("Kafka does not answer") from error
    except KafkaException as error:
        unsupported = {KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION}  # noqa: SLF001
        if error.args[0].code() in unsupported:
            raise CannotTrim(f"Kafka: {error.args[0].str()}") from error
        raise StreamsUnavailable(f"Kafka: {error.args[0].str()}") from error
