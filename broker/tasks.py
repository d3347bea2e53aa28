"""The broker's Celery tasks. They carry ids only; what there is to do stands in the rows."""

from celery import shared_task

from . import housekeeping, retention, wake, work


@shared_task(name=wake.RUN_WORK_ITEM)
def run_work_item(item_id: int) -> None:
    """Run this work item, or the one whose turn it is in its queue."""
    work.run(item_id)


@shared_task(name="broker.wake_work_items")
def wake_work_items() -> int:
    """Send wake-ups for what is due and was not heard of for a while; for the beat, every five seconds."""
    return housekeeping.wake_due_items()


@shared_task(name="broker.trim_streams")
def trim_streams() -> int:
    """Let streams forget what they are not to keep; for the beat, every minute."""
    return retention.trim_streams()


@shared_task(name="broker.prune")
def prune() -> int:
    """Forget what is finished and older than its retention; for the beat, every hour."""
    return housekeeping.prune()
