"""Deliveries that ended long ago are forgotten, all but how many there were."""

from django.db import connection

from notifications import sql

RETENTION = "30 days"
CHUNK = 5_000  # rows deleted in a statement


def prune() -> int:
    """Delete deliveries that ended before the retention; how many."""
    deleted = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(sql.load("prune_deliveries"), {"retention": RETENTION, "limit": CHUNK})
            count: int = cursor.fetchone()[0]
            deleted += count
            if count < CHUNK:
                return deleted
