"""The stream engine on Redis Streams (Redis 7 or newer, or Valkey): a stream key a partition, an offset an entry id."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from broker.errors import StreamsUnavailable
from broker.messages import Message

from .base import Entry, Features, decode, encode
from .growth import Growth

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 5.0


class RedisStreams:
    """Entry ids are `0-1`, `0-2` and so on, so an offset is the second number less one."""

    joins_transaction = False
    features = Features(
        trims=True,
        retention="nothing",
        tools="XINFO, XRANGE, RedisInsight: entries, ends",
        limits="The log must fit in memory. With appendfsync everysec a power cut may take the last second: the relay "
        "notices, and appends it again from the outbox",
    )

    def __init__(self, url: str) -> None:
        # No silent retries: whoever calls decides, and knows then that a batch may be there twice.
        self._client = redis.Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._growth = Growth()

    def append(self, stream: str, partition: int, messages: Sequence[Message]) -> None:
        with _translated():
            # All or nothing: a connection cut in the middle of a transaction leaves no part of it.
            key, pipe = _key(stream, partition), cast("Any", self._client.pipeline(transaction=True))
            for message in messages:
                pipe.execute_command("XADD", key, "0-*", b"body", encode(message))
            ids = pipe.execute()
        self._growth.appended(stream, partition, first=_offset(ids[0]), end=_offset(ids[-1]) + 1)

    def read(self, stream: str, partition: int, from_offset: int, *, limit: int) -> list[Entry]:
        with _translated():
            rows = cast("Any", self._client.xrange(_key(stream, partition), min=_id(from_offset), count=limit))
        return [decode(offset=_offset(id_), body=fields.get(b"body")) for id_, fields in rows]

    def end(self, stream: str, partition: int) -> int:
        try:
            with _translated():
                info = cast("Any", self._client.xinfo_stream(_key(stream, partition)))
        except _NoSuchKey:
            return 0
        return _offset(info["last-generated-id"]) + 1

    def trim(self, stream: str, partition: int, before_offset: int) -> int:
        with _translated():
            minimum = _id(before_offset)
            return int(cast("Any", self._client.xtrim(_key(stream, partition), minid=minimum, approximate=False)))


class _NoSuchKey(Exception):
    """Nothing was ever appended to this log."""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except redis.ResponseError as error:
        if "no such key" in str(error):
            raise _NoSuchKey from error
        raise StreamsUnavailable(f"Redis refuses: {error}") from error
    except redis.RedisError as error:
        raise StreamsUnavailable(f"Redis: {error}") from error


def _key(stream: str, partition: int) -> str:
    return f"broker:stream:{stream}:{partition}"


def _id(offset: int) -> str:
    return f"0-{offset + 1}"


def _offset(id_: bytes) -> int:
    return int(id_.partition(b"-")[2]) - 1
