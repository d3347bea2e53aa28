"""While a crowd comes back to a web process, work that may wait does: the machine is the crowd's for that long.

The web process says so in Redis, again and again, and the word fades by itself. Nobody waits for ever: what goes on for
longer than `LONGEST_SECONDS` is no crowd any more, and without Redis there is none.
"""

import logging
import time

import redis
from django.core.cache import cache

CROWD = 16  # clients that resume at once
ANNOUNCE_SECONDS = 0.5
KNOWN_SECONDS = 3  # from an announcement
APART_SECONDS = 10.0  # between one crowd and another
LONGEST_SECONDS = 60.0
LOOK_SECONDS = 0.25
_KEY = "live:crowd"

logger = logging.getLogger(__name__)


class CrowdWatch:
    """Tells a crowd, as long as it is one, from what never ends."""

    def __init__(self) -> None:
        self._began = self._seen = float("-inf")

    def sees_crowd(self, resuming: int, *, now: float) -> bool:
        """Whether others should wait for so many, at the monotonic time `now`."""
        if resuming < CROWD:
            return False
        if now - self._seen > APART_SECONDS:
            self._began = now
        self._seen = now
        return now - self._began < LONGEST_SECONDS


def announce() -> None:
    """Ask whoever may wait to do so. Raises `redis.RedisError`."""
    cache.set(_KEY, 1, KNOWN_SECONDS)


def is_announced() -> bool:
    """Whether somebody has asked for it a moment ago. Raises `redis.RedisError`."""
    return cache.get(_KEY) is not None


def let_pass() -> None:
    """Return once no crowd is being let in, after `LONGEST_SECONDS` in any case."""
    began = time.monotonic()
    try:
        while is_announced() and time.monotonic() - began < LONGEST_SECONDS:
            time.sleep(LOOK_SECONDS)
    except redis.RedisError as error:
        logger.warning("Redis does not answer, so nobody knows of a crowd: %s", error)
    if (waited := time.monotonic() - began) >= LOOK_SECONDS:
        logger.info("Waited %.1f s for a crowd that came back", waited)
