"""What starts when, and who wants to be reminded of it."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Upcoming(models.Model):
    """A release with a start, as the newest message of the stream `releases` told of it."""

    release_id = models.UUIDField(primary_key=True)
    version = models.PositiveIntegerField()
    headline = models.CharField(max_length=160)
    starts_at = models.DateTimeField(null=True)  # null: it has no start any more
    recalled = models.BooleanField(default=False)  # kept, so that an older message cannot bring it back
    url = models.CharField(max_length=300)
    image = models.CharField(max_length=300, blank=True)
    studio = models.CharField(max_length=120)
    category = models.CharField(max_length=32)
    maturity = models.PositiveSmallIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["starts_at"], condition=models.Q(starts_at__isnull=False), name="upcoming_by_start")
        ]


class Reminder(models.Model):
    """One viewer's wish. `told_for` is the start of which they were reminded; null: not yet, or not of the new one.

    `said_start` is the start that the card names.
    """

    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="reminders", db_index=False)
    upcoming = models.ForeignKey(Upcoming, models.CASCADE, related_name="reminders")
    told_for = models.DateTimeField(null=True)
    said_start = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=0)  # of its card; 0: there is none
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["viewer", "upcoming"], name="reminder_once")]
