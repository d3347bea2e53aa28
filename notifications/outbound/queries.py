"""What is known of endpoints, and of what is on its way to them."""

from collections.abc import Sequence

from django.db import connection

from .models import Channel, Endpoint, Lane

# Lane by lane, from the oldest on: so it is the index that is asked, however many deliveries there are.
_IS_ANYTHING_DUE = """
    SELECT EXISTS (
        SELECT
        FROM unnest(%(lanes)s::smallint[]) AS looked_at (lane)
        CROSS JOIN LATERAL (
            SELECT
            FROM notifications_delivery d
            WHERE d.state = 'open' AND d.lane = looked_at.lane AND d.next_attempt_at <= now()
            ORDER BY d.next_attempt_at
            LIMIT 1
        ) oldest
    )
"""


def endpoints_of(*, viewer_id: int) -> Sequence[Endpoint]:
    """Where a viewer is told, or was once: mail first, then in the order in which they were added."""
    order = list(Channel)
    found = Endpoint.objects.filter(viewer_id=viewer_id).order_by("pk")
    return sorted(found, key=lambda endpoint: order.index(Channel(endpoint.channel)))


def is_anything_due() -> bool:
    """Whether a sender would find a delivery to claim now."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_ANYTHING_DUE, {"lanes": list(Lane)})
        return bool(cursor.fetchone()[0])
