"""What the consumer group `guide` does: it keeps the programme guide, a table that is made of messages alone."""

import json

from django.db import connection

from broker.messages import Message

# An older version never overwrites a newer one: a message from the dead letters may come late.
_KEEP = """
    INSERT INTO catalog_listing (release_id, version, category, available_from, expires_at, is_withdrawn, facts)
    VALUES (%(release_id)s, %(version)s, %(category)s, %(available_from)s, %(expires_at)s, %(is_withdrawn)s, %(facts)s)
    ON CONFLICT (release_id) DO UPDATE SET version = EXCLUDED.version, category = EXCLUDED.category,
        available_from = EXCLUDED.available_from, expires_at = EXCLUDED.expires_at,
        is_withdrawn = EXCLUDED.is_withdrawn, facts = EXCLUDED.facts
    WHERE catalog_listing.version < EXCLUDED.version
"""


def on_listing_told(message: Message) -> None:
    """Put a release into the guide, or its newer version."""
    _keep(message, is_withdrawn=False)


def on_listing_withdrawn(message: Message) -> None:
    """Take a release out of the guide."""
    _keep(message, is_withdrawn=True)


def _keep(message: Message, *, is_withdrawn: bool) -> None:
    facts = dict(message.data)
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, {**facts, "is_withdrawn": is_withdrawn, "facts": json.dumps(facts)})
