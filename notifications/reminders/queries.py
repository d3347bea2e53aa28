"""What is known of reminders."""

from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from .models import Reminder, Upcoming


def reminders_of(*, viewer_id: int) -> QuerySet[Reminder]:
    """What a viewer waits for, the nearest first."""
    waiting = Reminder.objects.filter(viewer_id=viewer_id, upcoming__recalled=False, upcoming__starts_at__gt=Now())
    return waiting.select_related("upcoming").order_by("upcoming__starts_at", "pk")


def upcoming_release(*, release_id: UUID) -> Upcoming | None:
    """A release that is still to start; None for any other."""
    return Upcoming.objects.filter(pk=release_id, recalled=False, starts_at__gt=Now()).first()


def is_reminded(*, viewer_id: int, release_id: UUID) -> bool:
    """Whether the viewer has asked to be reminded of it."""
    return Reminder.objects.filter(viewer_id=viewer_id, upcoming_id=release_id).exists()
