"""A consumer that stands at one place of a Kafka partition. Our groups are not Kafka's: it assigns, and never joins."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from broker.errors import StreamsUnavailable

from .base import decode
from .cursors import Cursor

ANSWER_SECONDS = 2.0
CLOSE_SECONDS = 2.0
# How long the server holds back the answer that there is nothing; that answer is what tells us that we saw all.
_NOTHING_MS = 20
SETTINGS = {
    "group.id": "broker-reader",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",  # where what was asked for has been trimmed
    "fetch.wait.max.ms": _NOTHING_MS,
}


class KafkaCursor(Cursor):
    """Reads on in the background, as far as the client's queue goes."""

    def __init__(self, settings: Mapping[str, Any], stream: str, partition: int) -> None:
        super().__init__()
        self._consumer = Consumer({**settings, **SETTINGS})
        self._stream, self._partition = stream, partition
        self._is_assigned = self._has_seen_end = False
        self._known_end = 0

    def move_to(self, offset: int) -> None:
        """Stand at `offset`, with what is in memory from there on."""
        if self._is_assigned and self.covers(offset):
            self.pass_to(offset)
        else:
            self._assign(offset)

    def fetch(self) -> None:
        """Have at least one entry in memory, unless there is none. Raises `StreamsUnavailable`."""
        if self._has_seen_end:
            self._known_end = self.bounds()[1]
            if self._known_end <= self.next_offset:
                return
        self._has_seen_end = False
        deadline = time.monotonic() + ANSWER_SECONDS
        while not self.entries and not self._has_seen_end:
            self._keep(self._consumer.consume(1, 0.1))
            if time.monotonic() > deadline:
                self._give_up()

    def fill(self, limit: int) -> None:
        """Add what the client has fetched already, up to `limit` entries in all."""
        if len(self.entries) < limit and not self._has_seen_end:
            self._keep(self._consumer.consume(limit - len(self.entries), 0))

    def find_end(self) -> int:
        """The offset that the next entry will get, also where the server answers with a batch's first offset."""
        self._assign(self.bounds()[1])
        while not self._has_seen_end:
            self.fetch()
            self.fill(1_000)
            self.entries.clear()
        return self.next_offset

    def bounds(self) -> tuple[int, int]:
        """The first offset that is there and, no later than the end, the last that the server tells of."""
        place = TopicPartition(self._stream, self._partition)
        answer = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
        if answer is None:
            raise StreamsUnavailable(f"Kafka does not answer for {self._stream}, partition {self._partition}")
        return int(answer[0]), int(answer[1])

    def close(self) -> None:
        """Let the client go. It may wait for a server that does not answer: then on a thread of its own."""
        closing = threading.Thread(target=self._consumer.close, name="kafka-close", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    def _assign(self, offset: int) -> None:
        self.begin(offset)
        self._consumer.assign([TopicPartition(self._stream, self._partition, offset)])
        self._is_assigned, self._has_seen_end, self._known_end = True, False, 0

    def _keep(self, events: Sequence[Message]) -> None:
        for event in events:
            error = event.error()
            if error is None:
                self.add(decode(offset=event.offset() or 0, body=event.value()))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                # One that was on its way when there was less tells nothing any more.
                self._has_seen_end = (event.offset() or 0) >= self._known_end
            else:
                raise KafkaException(error)

    def _give_up(self) -> None:
        place = TopicPartition(self._stream, self._partition)
        high = self._consumer.get_watermark_offsets(place, cached=True)[1]
        if not 0 <= high <= self.next_offset:  # not merely asked for what lies beyond the end
            raise StreamsUnavailable(f"Kafka does not answer for {self._stream}, partition {self._partition}")
        self._has_seen_end = True
