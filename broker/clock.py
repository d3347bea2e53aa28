"""What time it is for the broker: the database's, whatever this machine's clock says."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from .messages import Message

LOOK_SECONDS = 30.0  # for so long the monotonic clock carries on what the database said


@dataclass(slots=True)
class _Look:
    """What the database said, and when that was on the monotonic clock: one tuple, as threads read it meanwhile."""

    seconds_at_ticks: tuple[float, float] = (0.0, float("-inf"))


_last = _Look()


def now() -> datetime:
    """The database's time, read from it now and then and carried on by the monotonic clock in between."""
    seconds, ticks = _last.seconds_at_ticks
    if time.monotonic() - ticks > LOOK_SECONDS:
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            seconds, ticks = _last.seconds_at_ticks = cursor.fetchone()[0], time.monotonic()
    return datetime.fromtimestamp(seconds + time.monotonic() - ticks, UTC)


def has_expired(message: Message) -> bool:
    """Whether nobody should act on the message any more."""
    return message.expires_at is not None and message.expires_at <= now()
