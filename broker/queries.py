"""Numbers for /metrics, the console and `broker_lag`, each in as many queries whatever there is."""

from collections import defaultdict
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count

from .dead_letter_filter import Filter
from .heads import heads
from .models import OperatorAction, OutboxMessage, PausedQueue, WorkItem

_PLACES = """
    SELECT "group", stream, partition, next_offset, CASE WHEN lease_expires_at > now() THEN owner ELSE '' END,
        paused, attempts, next_attempt_at, last_error, expired_count
    FROM broker_grouppartition ORDER BY "group", stream, partition
"""


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """Where a group stands in a partition; `owner` is empty when nobody holds a live lease."""

    group: str
    stream: str
    partition: int
    offset: int
    owner: str
    paused: bool
    attempts: int
    next_attempt_at: datetime | None
    last_error: str
    expired_count: int
    end: int
    seconds: float  # since the oldest of what waits was appended

    @property
    def lag(self) -> int:
        """Entries that the group has still to handle."""
        return max(0, self.end - self.offset)

    @property
    def state(self) -> str:
        """What the partition is doing, in a word."""
        if self.paused:
            return "paused"
        if not self.owner:
            return "nobody's"
        return "retrying" if self.attempts else "running"


def outbox_depth() -> int:
    """Messages published and not yet relayed."""
    return OutboxMessage.objects.filter(relayed_at=None).count()


def lag() -> list[PartitionLag]:
    """Every partition of every group, sorted. Raises `StreamsUnavailable` when nobody can tell where logs end."""
    with connection.cursor() as cursor:
        cursor.execute(_PLACES)
        rows = cursor.fetchall()
    found = heads({(stream, partition, offset) for _, stream, partition, offset, *_ in rows})
    return [PartitionLag(*(*row, *astuple(found[row[1:4]]))) for row in rows]


def dead_letter_counts() -> dict[tuple[str, str], int]:
    """Dead letters that wait for a decision, parked ones included, by (origin, reason)."""
    rows = Filter().letters().values_list("origin", "reason").annotate(count=Count("*")).order_by("origin", "reason")
    return {(origin, reason): count for origin, reason, count in rows}


def work_queue_depths() -> dict[str, dict[str, int]]:
    """Items by queue and state, finished ones left out: they are kept for a while only."""
    open_items = WorkItem.objects.exclude(state__in=[WorkItem.State.DONE, WorkItem.State.EXPIRED])
    depths: dict[str, dict[str, int]] = defaultdict(dict)
    rows: Any = open_items.values_list("queue", "state").annotate(count=Count("*")).order_by("queue", "state")
    for queue, state, count in rows:
        depths[queue][state] = count
    return dict(depths)


def operator_actions(*, limit: int, target: str = "") -> list[OperatorAction]:
    """What operators decided, newest first; about one target where it is given."""
    actions = OperatorAction.objects.order_by("-id")
    return list((actions.filter(target=target) if target else actions)[:limit])


def paused_queues() -> set[str]:
    """The work queues that an operator has paused."""
    return set(PausedQueue.objects.values_list("queue", flat=True))
