"""The messages by which an announcement reaches everybody, and those who have to answer for it."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from broker.messages import Message
from broker.schemas import register

from .models import Announcement


@register("announcement.published", 1)
@register("announcement.withdrawn", 1)
class AnnouncementData(BaseModel):
    """An announcement, and which operator published or withdrew it. Version 1 publishes, version 2 withdraws."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    announcement_id: int
    version: int
    title: str
    body: str
    url: str
    published_at: AwareDatetime
    expires_at: AwareDatetime
    operator: str


def announcement_published(announcement: Announcement, *, operator: str) -> Message:
    """Tell everybody."""
    return _about(announcement, "announcement.published", version=1, operator=operator)


def announcement_withdrawn(announcement: Announcement, *, operator: str) -> Message:
    """Take it back."""
    return _about(announcement, "announcement.withdrawn", version=2, operator=operator)


def _about(announcement: Announcement, type_: str, *, version: int, operator: str) -> Message:
    if announcement.published_at is None:
        raise ValueError("A draft is told to nobody")
    key = f"announcement:{announcement.pk}"
    data = AnnouncementData(
        announcement_id=announcement.pk,
        version=version,
        title=announcement.title,
        body=announcement.body,
        url=announcement.url,
        published_at=announcement.published_at,
        expires_at=announcement.expires_at,
        operator=operator,
    )
    # A fanout exchange has no use for a routing key; it is there for whoever reads the message later.
    return Message(
        type=type_, data=data.model_dump(mode="json"), key=key, subject=key, exchange="platform", routing_key=type_
    )
