"""What the hubs are told: one revision of a notification, with all the places at which it was posted."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from notifications.models import Notification

from .frames import Frame
from .protocol import NotificationFrame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posted:
    """One revision's postings: all seqs were drawn under the same locks, so they are released together or not at all.

    `frame` is made once for every receiver in every process. It holds the newest state, which is
    that of revision `shown`: later than `revision` when the notification has been revised meanwhile.
    """

    notification: int
    revision: int
    shown: int
    positions: Mapping[str, int]
    kind: str
    maturity: int
    posted_at: float  # seconds since 1970
    expires_at: float | None
    frame: Frame

    def has_expired(self) -> bool:
        """Whether it is too late to tell anybody."""
        return self.expires_at is not None and self.expires_at <= time.time()

    def to_message(self) -> dict[str, Any]:
        """As a message for the channel layer."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"type": "live.posted", **values, "frame": self.frame.text}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """From a message of the channel layer."""
        values = {name: value for name, value in message.items() if name != "type"}
        return cls(**values | {"frame": Frame(message["frame"])})


def describe(notification: Notification, *, revision: int, positions: Mapping[str, int], posted_at: datetime) -> Posted:
    """`notification`, as it is now, at the places where `revision` of it was posted."""
    return Posted(
        notification=notification.pk,
        revision=revision,
        shown=notification.revision,
        positions=dict(positions),
        kind=notification.kind,
        maturity=notification.maturity,
        posted_at=posted_at.timestamp(),
        expires_at=notification.expires_at.timestamp() if notification.expires_at else None,
        frame=Frame.of(_frame(notification, positions)),
    )


def _frame(notification: Notification, positions: Mapping[str, int]) -> NotificationFrame:
    return NotificationFrame(
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
        positions=dict(positions),
    )
