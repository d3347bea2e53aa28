"""What a channel is handed: where to, what, and under which idempotency key."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from notifications.models import Notification


class DeliveryKey(NamedTuple):
    """What names a delivery."""

    notification_id: int
    viewer_id: int
    channel: str
    endpoint_id: int

    def __str__(self) -> str:
        """The idempotency key: the same at every attempt, by whichever worker."""
        return f"n{self.notification_id}-e{self.endpoint_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a notification says now. Shared by all parcels of a batch."""

    id: int
    revision: int
    kind: str
    title: str
    body: str
    url: str
    image: str
    studio: str
    category: str
    recalled: bool
    published_at: datetime
    expires_at: datetime | None


def card_of(notification: Notification) -> Card:
    """The card of a row."""
    return Card(
        id=notification.pk,
        revision=notification.revision,
        kind=notification.kind,
        title=notification.title,
        body=notification.body,
        url=notification.url,
        image=notification.image,
        studio=notification.studio,
        category=notification.category,
        recalled=notification.recalled,
        published_at=notification.published_at,
        expires_at=notification.expires_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A claimed delivery with everything that it takes to send it. `attempts` counts this one.

    `email` is None when the endpoint, or its viewer, is not to be told any more; `card` is None when the notification
    is gone.
    """

    key: DeliveryKey
    token: UUID
    lane: int
    attempts: int
    host: str
    address: str
    email: str | None
    push_key: str
    push_auth: str
    secrets: tuple[str, ...]
    card: Card | None
