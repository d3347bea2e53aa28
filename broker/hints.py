"""Hints between processes over NOTIFY: they save waiting for the next poll, and nothing depends on them."""

import threading
from collections.abc import Callable, Iterable

from django.conf import settings
from django.db import connection

OUTBOX = "broker_outbox"  # something was published
STREAM = "broker_stream"  # something was appended to the stream named by the payload

# NOTIFY makes a commit of its own, which for a hint need not wait for the disk.
_SEND = """
    SELECT set_config('synchronous_commit', 'off', true), (SELECT count(pg_notify(%s, p)) FROM unnest(%s::text[]) AS p)
"""


def send(channel: str, payloads: Iterable[str] = ("",)) -> None:
    """Notify whoever listens. Outside a transaction: NOTIFY inside one makes all commits wait for each other."""
    with connection.cursor() as cursor:
        cursor.execute(_SEND, [channel, list(payloads)])


def listen(on_hint: Callable[[str, str], None], stop: threading.Event) -> None:
    """Call `on_hint(channel, payload)` for each hint until `stop` is set. Holds this thread's connection meanwhile."""
    connection.ensure_connection()
    listener = connection.connection
    listener.execute(f"LISTEN {OUTBOX}")
    listener.execute(f"LISTEN {STREAM}")
    while not stop.is_set():
        for hint in listener.notifies(timeout=settings.BROKER_POLL_SECONDS):
            on_hint(hint.channel, hint.payload)
