"""Deliveries that ended long ago are forgotten."""

from django.db import connection

RETENTION = "30 days"
CHUNK = 5_000  # rows deleted in a statement

_PRUNE = """
    DELETE FROM notifications_delivery WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM notifications_delivery WHERE finished_at < now() - %s::interval LIMIT %s
    ))
"""


def prune() -> int:
    """Delete deliveries that ended before the retention; how many."""
    deleted = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_PRUNE, [RETENTION, CHUNK])
            count: int = cursor.rowcount
            deleted += count
            if count < CHUNK:
                return deleted
