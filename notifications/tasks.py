"""What workers do: handlers of the work queues."""

import logging

from celery import shared_task

from broker.messages import Message

from .commands import turn_windows
from .events import NotificationPosted
from .insight.flushing import flush
from .live.posted import describe
from .live.push import push_live
from .models import Notification, Posting
from .outbound import digests
from .outbound.housekeeping import prune
from .outbound.tasks import drain_alone
from .reminders import commands as reminders
from .retention import forget_old

logger = logging.getLogger(__name__)


def fan_out(message: Message) -> None:
    """Tell the live hubs of a posting. Safe to run twice: hubs know what they have had.

    It does not fail when Redis is away: the posting stands in PostgreSQL, where the hubs find it within a tick.
    """
    data = NotificationPosted.model_validate(message.data)
    notification = Notification.objects.filter(pk=data.notification_id).first()
    posting = Posting.objects.filter(notification_id=data.notification_id, revision=data.revision).first()
    if notification is None or posting is None:
        logger.info("Notification %s is gone; there is nothing to push", data.notification_id)
        return
    push_live(
        describe(
            notification,
            revision=data.revision,
            positions=data.positions,
            posted_at=posting.posted_at,
            concerns=posting.regions,
        )
    )


@shared_task(name="notifications.turn_windows")
def turn_due_windows() -> int:
    """Post anew what has come to be out in a region, or is not any more; for the beat, every second."""
    return turn_windows()


@shared_task(name="notifications.post_due_reminders")
def post_due_reminders() -> None:
    """Remind those who asked; for the beat, every ten seconds."""
    while reminders.post_due_reminders() == reminders.AT_ONCE:
        pass


@shared_task(name="notifications.send_due_deliveries")
def send_due_deliveries() -> int:
    """Send deliveries that are due; for the beat, every second: retries, and what a lost wake-up left."""
    return drain_alone()


@shared_task(name="notifications.assemble_digests")
def assemble_digests() -> int:
    """Open the digests that are due; for the beat, every few seconds."""
    return digests.assemble()


@shared_task(name="notifications.prune_deliveries")
def prune_deliveries() -> int:
    """Forget deliveries that ended long ago; for the beat, every hour."""
    return prune()


@shared_task(name="notifications.forget_old")
def forget_old_notifications() -> int:
    """Forget postings and notifications that are older than they are kept; for the beat, every few minutes."""
    return forget_old()


@shared_task(name="notifications.flush_insight")
def flush_insight() -> int:
    """Store how many viewers were reached; for the beat, every two seconds."""
    return flush()
