"""What a channel is handed: where to, what, and under which idempotency key."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from notifications.models import Notification

MOST_CARDS = 40  # in a digest


class DeliveryKey(NamedTuple):
    """What names a delivery."""

    notification_id: int
    viewer_id: int
    channel: str
    endpoint_id: int

    def __str__(self) -> str:
        """A name for logs, and the stem of the idempotency key."""
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

    def is_over(self, now: datetime) -> bool:
        """Whether there is nothing to tell of it any more."""
        return self.recalled or (self.expires_at is not None and self.expires_at <= now)


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
class Bundle:
    """What a digest holds: `ids` are all its notifications, `cards` those that still stand, the newest first.

    There are at most `MOST_CARDS` cards; `more` is how many have no room. `left_out` were taken back meanwhile.
    """

    ids: tuple[int, ...]
    cards: tuple[Card, ...]
    more: int
    left_out: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A claimed delivery with everything that it takes to send it. `attempts` counts this one.

    `email` is None when the endpoint, or its viewer, is not to be told any more; `stale` says why a delivery that was
    put off is not wanted by now; `card` is None when the notification is gone. A digest has a `bundle`. `claimed_at` is
    a time of the monotonic clock.
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
    stale: str = ""
    bundle: Bundle | None = None
    claimed_at: float = field(default_factory=time.monotonic)

    @property
    def idempotency_key(self) -> str:
        """The same at every attempt, by whichever worker. A digest is not its first notification's mail."""
        return f"digest-{self.key}" if self.bundle else str(self.key)
