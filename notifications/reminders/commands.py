"""Asking for reminders, and posting those that are due; what is rescheduled or recalled changes its card in place."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from accounts.clock import database_now
from accounts.queries import is_member
from notifications.commands import post_notification
from notifications.given_topics import OWN_LABEL, own_topic
from notifications.models import Kind

from .errors import NotUpcoming, TooManyReminders
from .models import Reminder, Upcoming

AT_ONCE = 500
KEPT = timedelta(hours=3)  # after the start; then the card is of no use
MOST = 200  # of one viewer


@transaction.atomic
def remind(*, viewer_id: int, release_id: UUID) -> Reminder:
    """Remind this viewer some minutes before the start; again is fine. Raises `NotUpcoming` and `TooManyReminders`."""
    upcoming = Upcoming.objects.filter(pk=release_id, recalled=False, starts_at__gt=database_now()).first()
    if upcoming is None:
        raise NotUpcoming
    if Reminder.objects.filter(viewer_id=viewer_id).exclude(upcoming=upcoming).count() >= MOST:
        raise TooManyReminders
    reminder, _ = Reminder.objects.get_or_create(viewer_id=viewer_id, upcoming=upcoming)
    return reminder


@transaction.atomic
def forget(*, viewer_id: int, release_id: UUID) -> bool:
    """Remind them no more; what was told stays. False when they had not asked."""
    deleted, _ = Reminder.objects.filter(viewer_id=viewer_id, upcoming_id=release_id).delete()
    return deleted > 0


def post_due_reminders() -> int:
    """Post what is due, and change what was told and does not hold any more; how many cards that were.

    A transaction each, as each has a topic of its own; safe to run twice at once.
    """
    now = database_now()
    _prune(now)
    waiting = Reminder.objects.filter(_due(now)).order_by("upcoming__starts_at", "pk")
    return sum(_settle(pk) for pk in list(waiting.values_list("pk", flat=True)[:AT_ONCE]))


def _due(now: datetime) -> Q:
    soon = now + timedelta(minutes=settings.OTT_REMINDER_MINUTES)
    starts_soon = Q(upcoming__recalled=False, upcoming__starts_at__gt=now, upcoming__starts_at__lte=soon)
    has_card = Q(version__gt=0)
    is_told = Q(told_for__isnull=False, told_for=F("upcoming__starts_at"))
    is_said = Q(said_start__isnull=False, said_start=F("upcoming__starts_at"))
    moved = has_card & ~is_said & ~is_told & Q(upcoming__starts_at__gt=now)
    cancelled = has_card & (Q(upcoming__recalled=True) | Q(upcoming__starts_at__isnull=True))
    return (starts_soon & ~is_told) | moved | cancelled


@transaction.atomic
def _settle(pk: int) -> bool:
    """Bring one reminder's card up to date. False when another process has it, or it is not due any more."""
    now = database_now()
    free = Reminder.objects.select_for_update(of=("self",), skip_locked=True)
    reminder = free.select_related("upcoming").filter(_due(now), pk=pk).first()
    if reminder is None:
        return False
    upcoming = reminder.upcoming
    if upcoming.recalled or upcoming.starts_at is None:
        _post(reminder, f"Cancelled: {upcoming.headline}", "It will not take place.", until=now + KEPT, recalled=True)
        reminder.delete()
        return True
    start = f"{upcoming.starts_at:%-d %B, %H:%M} UTC"
    is_soon = upcoming.starts_at <= now + timedelta(minutes=settings.OTT_REMINDER_MINUTES)
    until = upcoming.starts_at + KEPT
    if not is_soon:
        _say(reminder, f"Moved: {upcoming.headline}", f"It starts on {start} now. You will be reminded again.", until)
    elif is_member(user_id=reminder.viewer_id, at=now):
        _say(reminder, f"Starts soon: {upcoming.headline}", f"It starts on {start}.", until)
    reminder.told_for = upcoming.starts_at if is_soon else None
    reminder.save(update_fields=["told_for", "said_start", "version"])
    return True


def _say(reminder: Reminder, title: str, body: str, until: datetime) -> None:
    """Let the card say this of the start as it is now."""
    _post(reminder, title, body, until=until)
    reminder.said_start = reminder.upcoming.starts_at
    reminder.version += 1


def _post(reminder: Reminder, title: str, body: str, *, until: datetime, recalled: bool = False) -> None:
    upcoming = reminder.upcoming
    post_notification(
        subject=f"reminder:{reminder.pk}",
        subject_version=reminder.version + 1,
        kind=Kind.REMINDER,
        topics={own_topic(reminder.viewer_id): OWN_LABEL},
        title=title,
        body=body,
        url=f"{upcoming.url}?release={upcoming.pk}",
        image=upcoming.image,
        studio=upcoming.studio,
        category=upcoming.category,
        maturity=upcoming.maturity,
        published_at=database_now(),
        expires_at=until,
        recalled=recalled,
    )


def _prune(now: datetime) -> None:
    """Forget wishes whose start has passed, or will not come and were not told of."""
    over = Q(upcoming__starts_at__lt=now - KEPT)
    never = Q(version=0) & (Q(upcoming__recalled=True) | Q(upcoming__starts_at__isnull=True))
    Reminder.objects.filter(over | never).delete()
