"""While a crowd comes back to a web process, work that may wait does: the machine is the crowd's for that long.

The web processes say so in Redis, again and again, and the word fades by itself. Nobody waits for ever: a crowd is
waited for in its first `LONGEST_SECONDS`, however many processes announce it, and without Redis there is none.
"""

import logging
import time

import redis
from django.core.cache import cache

CROWD = 16  # clients that wait at a time for what they have missed
ANNOUNCE_SECONDS = 0.5
KNOWN_SECONDS = 3  # from an announcement
LONGEST_SECONDS = 60
APART_SECONDS = 5  # without an announcement, before what follows is another crowd
PATIENCE_SECONDS = 20.0  # of one item: less than a worker that is told to stop is given
LOOK_SECONDS = 0.25
_NOW, _GOES_ON, _IS_NEW = "live:crowd", "live:crowd:goes-on", "live:crowd:is-new"

logger = logging.getLogger(__name__)


def announce() -> None:
    """Ask whoever may wait to do so. Raises `redis.RedisError`."""
    if cache.add(_GOES_ON, 1, APART_SECONDS):
        cache.set(_IS_NEW, 1, LONGEST_SECONDS)
    else:
        cache.touch(_GOES_ON, APART_SECONDS)
    cache.set(_NOW, 1, KNOWN_SECONDS)


def is_announced() -> bool:
    """Whether somebody has asked for it a moment ago, and not for too long. Raises `redis.RedisError`."""
    signs = (_NOW, _IS_NEW)
    return len(cache.get_many(signs)) == len(signs)


def forget() -> None:
    """As if there had never been a crowd. Raises `redis.RedisError`."""
    cache.delete_many([_NOW, _GOES_ON, _IS_NEW])


def let_pass() -> None:
    """Return once no crowd is being let in, after `PATIENCE_SECONDS` in any case."""
    began = time.monotonic()
    has_waited = False
    try:
        while time.monotonic() - began < PATIENCE_SECONDS and is_announced():
            has_waited = True
            time.sleep(LOOK_SECONDS)
    except redis.RedisError as error:
        logger.warning("Redis does not answer, so nobody knows of a crowd: %s", error)
    if has_waited:
        logger.info("Waited %.1f s for a crowd that came back", time.monotonic() - began)
