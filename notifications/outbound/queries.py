"""What is known of endpoints, and of what is on its way to them."""

from collections.abc import Sequence

from .models import Channel, Endpoint


def endpoints_of(*, viewer_id: int) -> Sequence[Endpoint]:
    """Where a viewer is told, or was once: mail first, then in the order in which they were added."""
    order = list(Channel)
    found = Endpoint.objects.filter(viewer_id=viewer_id).order_by("pk")
    return sorted(found, key=lambda endpoint: order.index(Channel(endpoint.channel)))
