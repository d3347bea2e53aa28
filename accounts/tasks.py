"""What accounts tidy up in the background."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db.models.functions import Now

from . import commands
from .models import IdempotencyKey

KEYS_LIVE_FOR = timedelta(days=1)


@shared_task(name="accounts.tell_of_ending_memberships")
def tell_of_ending_memberships() -> None:
    """Let members know that their membership ends soon; for the beat, every ten minutes."""
    within = timedelta(days=settings.OTT_MEMBERSHIP_NOTICE_DAYS)
    while commands.tell_of_ending_memberships(within=within) == commands.TOLD_AT_ONCE:
        pass


@shared_task(name="accounts.forget_idempotency_keys")
def forget_idempotency_keys() -> None:
    """Forget keys after a day: whoever repeats a request does so within minutes."""
    IdempotencyKey.objects.filter(created_at__lt=Now() - KEYS_LIVE_FOR).delete()
