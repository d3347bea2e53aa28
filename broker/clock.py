"""What time it is for the broker: the database's, whatever this machine's clock says."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from .messages import Message

LOOK_SECONDS = 30.0  # for so long the monotonic clock carries on what the database said


@dataclass(slots=True)
class _Look:
    """What the database said, and when that was on the monotonic clock; threads that look at once write the same."""

    ticks: float = float("-inf")
    seconds: float = 0.0


_last = _Look()


def now() -> datetime:
    """The database's time, read from it now and then and carried on by the monotonic clock in between."""
    if time.monotonic() - _last.ticks > LOOK_SECONDS:
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            _last.seconds, _last.ticks = cursor.fetchone()[0], time.monotonic()
    return datetime.fromtimestamp(_last.seconds + time.monotonic() - _last.ticks, UTC)


def has_expired(message: Message) -> bool:
    """Whether nobody should act on the message any more."""
    return message.expires_at is not None and message.expires_at <= now()
