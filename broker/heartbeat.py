"""Keeps a work item's lease while its handler runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from django.db import DatabaseError, connection

logger = structlog.get_logger(__name__)

_RENEW = """
    UPDATE broker_workitem SET lease_expires_at = now() + make_interval(secs => %s) WHERE id = %s AND lease_token = %s
"""


@contextmanager
def heartbeat(*, item_id: int, token: UUID, lease_seconds: float) -> Iterator[None]:
    """Renew the lease three times in its length, from a thread; it takes a connection only when work is that long."""
    stop = threading.Event()
    arguments = (item_id, token, lease_seconds, stop)
    thread = threading.Thread(target=_beat, args=arguments, name=f"heartbeat-{item_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(lease_seconds)


def _beat(item_id: int, token: UUID, lease_seconds: float, stop: threading.Event) -> None:
    try:
        while not stop.wait(lease_seconds / 3):
            if not _renewed(item_id, token, lease_seconds):
                logger.warning("work_item_lease_lost", item_id=item_id)
                return
    finally:
        connection.close()


def _renewed(item_id: int, token: UUID, lease_seconds: float) -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute(_RENEW, [lease_seconds, item_id, token])
            return bool(cursor.rowcount)
    except DatabaseError as error:  # the next beat may find it back
        logger.warning("heartbeat_failed", item_id=item_id, error=str(error))
        connection.close()
        return True
