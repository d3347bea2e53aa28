"""A program that publishes numbered messages under some keys, a transaction each, until it is killed.

Where it begins is what was committed so far: a number that rolled back is published again, under another id.
"""

import sys
import time

import django
from django.db import connection, transaction

PERMANENT_EACH = 50  # messages of a key
FAIL_ONCE_EACH = 75

_LAST = """
    SELECT key, max((body -> 'data' ->> 'n')::int) FROM broker_outboxmessage WHERE routing_key = 'noted' GROUP BY key
"""


def key_named(number: int) -> str:
    """The key of that number."""
    return f"sample:{number}"


def is_permanent(n: int) -> bool:
    """Whether the group `exact` fails for good at a key's message number `n`."""
    return n % PERMANENT_EACH == 1


def published() -> dict[str, int]:
    """The last number published under each key."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        return dict(cursor.fetchall())


def publish_for_ever(*, keys: int, pause: float) -> None:
    """Number after number under each key in turn, with a pause of so many seconds after each message."""
    from broker.outbox import publish  # noqa: PLC0415 (Django is set up only now)
    from tests.support.broker_app import sample  # noqa: PLC0415

    last = published()
    while True:
        for key in map(key_named, range(keys)):
            n = last.get(key, 0) + 1
            do = "permanent" if is_permanent(n) else "fail-once" if n % FAIL_ONCE_EACH == 0 else ""
            with transaction.atomic():
                publish(sample(n, key=key, do=do, follow=True))
            last[key] = n
            time.sleep(pause)


if __name__ == "__main__":
    django.setup()
    publish_for_ever(keys=int(sys.argv[1]), pause=float(sys.argv[2]))
