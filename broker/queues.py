"""What an operator does with a work queue: pause it, resume it, see how it stands."""

from dataclasses import dataclass, field

from django.db import transaction

from . import audit, housekeeping
from .current import current_topology, queue_named
from .models import PausedQueue
from .queries import paused_queues, work_queue_depths
from .topology import WorkQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """A queue with the number of its items in each state; finished ones are left out."""

    queue: WorkQueue
    is_paused: bool
    items: dict[str, int] = field(default_factory=dict)


def pause(*, queue: str, actor: str) -> bool:
    """Let nobody begin an item of the queue until `resume`; what runs is finished. False when it was paused already.

    Raises `UnknownName`.
    """
    queue_named(queue)
    with transaction.atomic():
        _, is_new = PausedQueue.objects.get_or_create(queue=queue)
        if is_new:
            audit.note(actor=actor, verb="pause", target=f"queue:{queue}")
    return is_new


def resume(*, queue: str, actor: str) -> bool:
    """Let items be begun again, and wake workers for them; False when it was not paused. Raises `UnknownName`."""
    queue_named(queue)
    with transaction.atomic():
        deleted, _ = PausedQueue.objects.filter(queue=queue).delete()
        if deleted:
            audit.note(actor=actor, verb="resume", target=f"queue:{queue}")
            transaction.on_commit(housekeeping.wake_due_items, robust=True)
    return bool(deleted)


def states() -> list[QueueState]:
    """Every queue of the topology."""
    paused, depths = paused_queues(), work_queue_depths()
    return [
        QueueState(queue=queue, is_paused=queue.name in paused, items=depths.get(queue.name, {}))
        for queue in current_topology().queues
    ]
