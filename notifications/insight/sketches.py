"""HyperLogLogs in Redis: a sketch of some kilobytes for each notification and stage, right to 0.81 % at any size.

Redis forgets nothing on purpose before `KEPT_SECONDS`, and may lose everything at any time: what was flushed stands in
PostgreSQL, and is merged in again whenever a sketch changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self, cast
from uuid import uuid4

import redis
from django.conf import settings

from .models import Stage

CHANGED = "insight:changed"  # {sketch: token of the batch that changed it last}
KEPT_SECONDS = 2 * 24 * 3600  # after the last change
VIEWERS_AT_ONCE = 1000  # in one command: Redis serves others in between
SECONDS = 5.0

# A sketch with what was stored of it merged in: its content and its estimate.
_MERGE = """
if ARGV[1] ~= '' then
    redis.call('SET', KEYS[2], ARGV[1])
    redis.call('PFMERGE', KEYS[1], KEYS[2])
    redis.call('DEL', KEYS[2])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return {redis.call('GET', KEYS[1]), redis.call('PFCOUNT', KEYS[1])}
"""

# Forget a change unless another batch has come since it was read.
_FORGET = """
for place = 1, #ARGV, 2 do
    if redis.call('HGET', KEYS[1], ARGV[place]) == ARGV[place + 1] then
        redis.call('HDEL', KEYS[1], ARGV[place])
    end
end
"""


@dataclass(frozen=True, slots=True)
class Name:
    """Which sketch."""

    notification_id: int
    stage: Stage

    def __str__(self) -> str:
        return f"{self.notification_id}:{self.stage}"

    @property
    def key(self) -> str:
        """Where Redis has it."""
        return f"insight:{self}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From its string."""
        notification_id, _, stage = text.partition(":")
        return cls(int(notification_id), Stage(stage))


@dataclass(frozen=True, slots=True)
class Sketch:
    """A HyperLogLog as Redis keeps it, and its estimate."""

    content: bytes
    viewers: int


@cache
def client() -> redis.Redis:
    """This process's connections to Redis. Nobody waits for ever for a server that hangs."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)


def add(counts: Mapping[Name, Iterable[int]]) -> None:
    """Count these viewers; twice is once. Raises `redis.RedisError`, and may be repeated then."""
    token = uuid4().hex
    pipe = client().pipeline(transaction=False)
    for name, viewers in counts.items():
        ids = list(viewers)
        for start in range(0, len(ids), VIEWERS_AT_ONCE):
            pipe.pfadd(name.key, *ids[start : start + VIEWERS_AT_ONCE])
        pipe.expire(name.key, KEPT_SECONDS)
    # Last: whoever finds the change finds what was added.
    pipe.hset(CHANGED, mapping={str(name): token for name in counts})
    pipe.execute()


def changed(limit: int) -> dict[str, str]:
    """Some of the sketches that have changed since they were flushed, each with the token that `forget` wants."""
    drawn = cast("Sequence[bytes] | None", client().hrandfield(CHANGED, limit, withvalues=True))
    texts = [part.decode() for part in drawn or ()]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def forget(changes: Mapping[str, str]) -> None:
    """These are flushed; what has changed again since remains."""
    if changes:
        client().eval(_FORGET, 1, CHANGED, *(part for change in changes.items() for part in change))


def read(names: Iterable[Name], stored: Mapping[Name, bytes]) -> dict[Name, Sketch]:
    """The sketches as they are, what is `stored` of them merged in; without those that are gone by now."""
    wanted, pipe = list(names), client().pipeline(transaction=False)
    for name in wanted:
        pipe.eval(_MERGE, 2, name.key, f"{name.key}:stored", stored.get(name, b""), KEPT_SECONDS)
    answers = zip(wanted, pipe.execute(), strict=True)
    return {name: Sketch(content, viewers) for name, (content, viewers) in answers if content is not None}
