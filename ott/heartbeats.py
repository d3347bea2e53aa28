"""Signs of life: each process that has no port of its own leaves one in Redis, and it fades by itself."""

import logging
import time

import redis
from django.conf import settings
from django.core.cache import cache

LIFE_SECONDS = 10
EVERY_SECONDS = 1.0
WATCHED = ("worker", "worker-bulk", "worker-media", "worker-outbound", "beat")

logger = logging.getLogger(__name__)
_last_mark = 0.0


def mark_alive() -> None:
    """Say that this process (`settings.OTT_PROCESS`) is at work; more than once a second costs nothing."""
    global _last_mark  # noqa: PLW0603 - a clock of the process
    if time.monotonic() - _last_mark < EVERY_SECONDS:
        return
    _last_mark = time.monotonic()
    try:
        cache.set(_key(settings.OTT_PROCESS), 1, LIFE_SECONDS)
    except redis.RedisError as error:
        logger.warning("No sign of life could be left in Redis: %s", error)


def silent() -> list[str]:
    """The watched processes that gave no sign of life in the last ten seconds. Raises `redis.RedisError`."""
    seen = cache.get_many([_key(name) for name in WATCHED])
    return [name for name in WATCHED if _key(name) not in seen]


def _key(name: str) -> str:
    return f"alive:{name}"
