"""Everything that changes announcements. Each decision is remembered with its author, in its own transaction."""

from typing import Any

from django.db import transaction

from accounts.clock import database_now
from accounts.models import User
from broker import audit
from broker.outbox import publish
from notifications.errors import NotificationsError

from .events import announcement_published, announcement_withdrawn
from .models import Announcement
from .permissions import may_edit, may_publish

State = Announcement.State


class NotAllowed(NotificationsError):
    """This operator may not do that with this announcement."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class NotNow(NotificationsError):
    """The announcement is not in a state, or is too old, for that."""


@transaction.atomic
def add_draft(*, announcement: Announcement, actor: User) -> Announcement:
    """Keep a new draft as `actor`'s. Raises `NotAllowed`."""
    if not actor.has_perm("notifications.add_announcement"):
        raise NotAllowed
    announcement.author = actor
    announcement.save(force_insert=True)
    _note(actor, "draft", announcement, {})
    return announcement


@transaction.atomic
def edit_draft(*, announcement: Announcement, actor: User) -> Announcement:
    """Keep what was changed in a draft. Raises `NotAllowed`, and `NotNow` for what is published."""
    held = _locked(announcement.pk)
    if not may_edit(actor, held):
        raise NotAllowed if held.state == State.DRAFT else NotNow("Only a draft can be edited.")
    announcement.save(update_fields=["title", "body", "url", "expires_at"])
    _note(actor, "edit", announcement, _content(held))
    return announcement


@transaction.atomic
def publish_announcement(*, announcement_id: int, actor: User) -> Announcement:
    """Tell everybody; again is fine. Raises `NotAllowed`, and `NotNow` for what has expired or was withdrawn."""
    announcement = _locked(announcement_id)
    if not may_publish(actor):
        raise NotAllowed
    if announcement.state == State.PUBLISHED:
        return announcement
    now = database_now()
    if announcement.state == State.WITHDRAWN:
        raise NotNow("It was withdrawn: write another one.")
    if announcement.expires_at <= now:
        raise NotNow("It would have expired already: give it a later date first.")
    before = _content(announcement)
    announcement.state, announcement.published_at = State.PUBLISHED, now
    announcement.save(update_fields=["state", "published_at"])
    _note(actor, "publish", announcement, before)
    publish(announcement_published(announcement, operator=actor.email))
    return announcement


@transaction.atomic
def withdraw_announcement(*, announcement_id: int, actor: User) -> Announcement:
    """Take back what was told; again is fine. Raises `NotAllowed`, and `NotNow` for a draft."""
    announcement = _locked(announcement_id)
    if not may_publish(actor):
        raise NotAllowed
    if announcement.state == State.WITHDRAWN:
        return announcement
    if announcement.state == State.DRAFT:
        raise NotNow("Nobody was told of it yet: delete the draft instead.")
    before = _content(announcement)
    announcement.state = State.WITHDRAWN
    announcement.save(update_fields=["state"])
    _note(actor, "withdraw", announcement, before)
    publish(announcement_withdrawn(announcement, operator=actor.email))
    return announcement


@transaction.atomic
def delete_draft(*, announcement_id: int, actor: User) -> None:
    """Forget a draft. Raises `NotAllowed`, and `NotNow` for what is published."""
    announcement = _locked(announcement_id)
    if not may_edit(actor, announcement):
        raise NotAllowed if announcement.state == State.DRAFT else NotNow("Only a draft can be deleted.")
    _note(actor, "delete", announcement, _content(announcement))
    announcement.delete()


def _locked(announcement_id: int) -> Announcement:
    return Announcement.objects.select_for_update().get(pk=announcement_id)


def _note(actor: User, verb: str, announcement: Announcement, before: dict[str, Any]) -> None:
    target = f"announcement:{announcement.pk}"
    audit.note(actor=actor.email, verb=verb, target=target, before=before, after=_content(announcement))


def _content(announcement: Announcement) -> dict[str, Any]:
    return {
        "state": str(announcement.state),
        "title": announcement.title,
        "body": announcement.body,
        "url": announcement.url,
        "expires_at": announcement.expires_at.isoformat(),
    }
