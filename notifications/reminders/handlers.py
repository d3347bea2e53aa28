"""The consumer group `starts`: it keeps what starts when, a table that is made of messages alone."""

from datetime import datetime
from typing import Any

from django.db import connection

from broker.messages import Message

# An older version never overwrites a newer one. Releases that have no start, and never had one, leave no row.
_KEEP = """
    INSERT INTO notifications_upcoming AS held
        (release_id, version, headline, starts_at, recalled, url, image, studio, category, maturity)
    SELECT %(release_id)s, %(version)s, %(headline)s, %(starts_at)s, %(recalled)s, %(url)s, %(image)s, %(studio_name)s,
        %(category_label)s, %(maturity)s
    WHERE %(starts_at)s IS NOT NULL OR EXISTS (
        SELECT FROM notifications_upcoming WHERE release_id = %(release_id)s
    )
    ON CONFLICT (release_id) DO UPDATE SET version = EXCLUDED.version, headline = EXCLUDED.headline,
        starts_at = EXCLUDED.starts_at, recalled = EXCLUDED.recalled, url = EXCLUDED.url, image = EXCLUDED.image,
        studio = EXCLUDED.studio, category = EXCLUDED.category, maturity = EXCLUDED.maturity
    WHERE held.version < EXCLUDED.version
"""


def on_release_told(message: Message) -> None:
    """Keep when a release starts, or that it starts at another time, or at none."""
    _keep(message, recalled=False)


def on_release_recalled(message: Message) -> None:
    """Remember that there will be no start."""
    _keep(message, recalled=True)


def _keep(message: Message, *, recalled: bool) -> None:
    data: Any = message.data
    starts_at = datetime.fromisoformat(data["starts_at"]) if data["starts_at"] else None
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, {**data, "starts_at": starts_at, "recalled": recalled})
