"""What the hubs are told: one revision of a notification, with all the places at which it was posted."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from notifications.clock import clock
from notifications.models import Notification

from .frames import Frame
from .protocol import NotificationFrame

_SETS = ("languages", "regions", "concerns")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posted:
    """One revision's postings: all seqs were drawn under the same locks, so they are released together or not at all.

    `frame` is made once for every receiver in every process. It holds the newest state, which is
    that of revision `shown`: later than `revision` when the notification has been revised meanwhile. `languages` and
    `regions` are those it is for (empty, None: all); `concerns`, the regions for which the posting is news. It
    `changes_audience` when, by this revision or a later one, the notification came to be meant for others.
    """

    notification: int
    revision: int
    shown: int
    positions: Mapping[str, int]
    kind: str
    maturity: int
    languages: frozenset[str] = frozenset()
    regions: frozenset[str] | None = None
    concerns: frozenset[str] | None = None
    changes_audience: bool = False
    posted_at: float  # seconds since 1970
    expires_at: float | None
    frame: Frame

    def has_expired(self) -> bool:
        """Whether it is too late to tell anybody."""
        return self.expires_at is not None and self.expires_at <= clock.time()

    def to_message(self) -> dict[str, Any]:
        """As a message for the channel layer."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        sets = {name: None if values[name] is None else sorted(values[name]) for name in _SETS}
        return {"type": "live.posted", **values, **sets, "frame": self.frame.text}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """From a message of the channel layer."""
        values = {name: value for name, value in message.items() if name != "type"}
        sets = {name: None if message[name] is None else frozenset(message[name]) for name in _SETS}
        return cls(**values | sets | {"frame": Frame(message["frame"])})


def describe(
    notification: Notification,
    *,
    revision: int,
    positions: Mapping[str, int],
    posted_at: datetime,
    concerns: Collection[str] | None,
) -> Posted:
    """`notification`, as it is now, at the places where `revision` of it was posted as news for `concerns`."""
    regions, news = notification.regions, None if concerns is None else frozenset(concerns)
    return Posted(
        notification=notification.pk,
        revision=revision,
        shown=notification.revision,
        positions=dict(positions),
        kind=notification.kind,
        maturity=notification.maturity,
        languages=frozenset(notification.languages or ()),
        regions=news if regions is None else frozenset(regions) & (news if news is not None else frozenset(regions)),
        concerns=news,
        changes_audience=1 < revision <= notification.audience_revision,
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
