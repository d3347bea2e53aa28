"""The two who hear of an announcement: the consumer group `platform`, and the work queue `brief_operators`."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.mail import EmailMessage
from django.db.models import Q, QuerySet

from accounts.models import User
from broker.messages import Message
from notifications.commands import post_notification
from notifications.given_topics import PLATFORM, PLATFORM_LABEL
from notifications.models import Kind

BRIEFED = "view_announcement"


def on_announcement_published(message: Message) -> None:
    """Post it to everybody. A second time is passed over."""
    _post(message, title=message.data["title"], body=message.data["body"], recalled=False)


def on_announcement_withdrawn(message: Message) -> None:
    """Say on the card that it does not hold any more."""
    _post(message, title=f"Withdrawn: {message.data['title']}", body="This does not hold any more.", recalled=True)


def _post(message: Message, *, title: str, body: str, recalled: bool) -> None:
    data = message.data
    post_notification(
        subject=f"announcement:{data['announcement_id']}",
        subject_version=data["version"],
        kind=Kind.ANNOUNCEMENT,
        topics={PLATFORM: PLATFORM_LABEL},
        title=title,
        body=body,
        url=data["url"],
        studio=settings.OTT_BRAND,
        published_at=datetime.fromisoformat(data["published_at"]),
        expires_at=datetime.fromisoformat(data["expires_at"]),
        recalled=recalled,
        cause=message,
    )


def brief_operators(message: Message) -> None:
    """Mail the operators what viewers are being told, so that they can answer for it.

    One mail, whose id is the message's: a second one, after a crash, is the same to a mail program.
    """
    addresses = list(_operators().values_list("email", flat=True))
    if not addresses:
        return
    data: Any = message.data
    verb = "withdrew" if message.type == "announcement.withdrawn" else "published"
    text = (
        f"{data['operator']} {verb} this announcement to all viewers.\n\n{data['title']}\n\n{data['body']}\n\n"
        f"It leads to {settings.OTT_SITE_URL}{data['url']} and expires on {data['expires_at']}.\n"
    )
    EmailMessage(
        subject=f"[{settings.OTT_BRAND}] {verb.capitalize()}: {data['title']}",
        body=text,
        bcc=addresses,
        headers={"Message-ID": f"<{message.id}@marquee.announcements>"},
    ).send()


def _operators() -> QuerySet[User]:
    """Staff who may see announcements."""
    seeing = Permission.objects.filter(codename=BRIEFED, content_type__app_label="notifications")
    may_see = Q(is_superuser=True) | Q(user_permissions__in=seeing) | Q(groups__permissions__in=seeing)
    return User.objects.filter(may_see, is_active=True, is_staff=True).distinct().order_by("email")
