"""What this app publishes."""

from pydantic import BaseModel, ConfigDict

from broker.messages import Message
from broker.schemas import register

from .models import Kind, Notification


@register("notification.posted", 1)
class NotificationPosted(BaseModel):
    """A revision of a notification stands in its topics; `positions` says where: {topic: seq}."""

    model_config = ConfigDict(extra="forbid")

    notification_id: int
    revision: int
    positions: dict[str, int]


def notification_posted(notification: Notification, positions: dict[str, int]) -> Message:
    """The message for one revision's postings; live events travel in the urgent lane."""
    data = NotificationPosted(notification_id=notification.pk, revision=notification.revision, positions=positions)
    return Message(
        type="notification.posted",
        data=data.model_dump(),
        key=f"notification:{notification.pk}",
        subject=f"notification:{notification.pk}",
        exchange="notifications",
        routing_key="notification.posted",
        headers={"urgency": "high" if notification.kind == Kind.LIVE_EVENT else "normal"},
        expires_at=notification.expires_at,
    )
