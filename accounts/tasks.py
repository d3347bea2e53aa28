"""What accounts tidy up in the background."""

from datetime import timedelta

from celery import shared_task
from django.db.models.functions import Now

from .models import IdempotencyKey

KEYS_LIVE_FOR = timedelta(days=1)


@shared_task(name="accounts.forget_idempotency_keys")
def forget_idempotency_keys() -> None:
    """Forget keys after a day: whoever repeats a request does so within minutes."""
    IdempotencyKey.objects.filter(created_at__lt=Now() - KEYS_LIVE_FOR).delete()
