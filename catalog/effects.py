"""What the handlers of the group `guide` leave behind, for a shadow replay to compare."""

from collections.abc import Mapping
from typing import Any

from broker.messages import Message
from broker.shadow_replay import Superseded

from .models import Listing


def listing_of(message: Message) -> Mapping[str, Any] | None:
    """The release's row in the guide. Raises `Superseded` when it tells of a later version."""
    row = Listing.objects.filter(release_id=message.data["release_id"]).values().first()
    if row is not None and row["version"] > message.data["version"]:
        raise Superseded(str(row["release_id"]))
    return row
