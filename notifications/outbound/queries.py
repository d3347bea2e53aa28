"""What is known of endpoints, and of what is on its way to them."""

from collections.abc import Sequence

from django.db.models import Count

from .models import Channel, Delivery, Endpoint


def endpoints_of(*, viewer_id: int) -> Sequence[Endpoint]:
    """Where a viewer is told, or was once: mail first, then in the order in which they were added."""
    order = list(Channel)
    found = Endpoint.objects.filter(viewer_id=viewer_id).order_by("pk")
    return sorted(found, key=lambda endpoint: order.index(Channel(endpoint.channel)))


def open_deliveries() -> dict[tuple[str, int], int]:
    """Deliveries that wait, by (channel, lane)."""
    rows = Delivery.objects.filter(state=Delivery.State.OPEN).values_list("channel", "lane").annotate(n=Count("*"))
    return {(channel, lane): count for channel, lane, count in rows.order_by("channel", "lane")}
