"""Numbers for /metrics, the console and `broker_lag`: one query each."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count

from .models import DeadLetter, OutboxMessage, WorkItem

_LAG = """
    SELECT place."group", place.stream, place.partition, place.next_offset, coalesce(head.next_offset, 0),
        place.owner, place.lease_expires_at > now(), place.attempts, place.next_attempt_at, place.last_error,
        place.expired_count
    FROM broker_grouppartition AS place LEFT JOIN broker_streampartition AS head USING (stream, partition)
    ORDER BY place."group", place.stream, place.partition
"""


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """Where a group stands in a partition; `owner` is empty when nobody holds a live lease."""

    group: str
    stream: str
    partition: int
    offset: int
    end: int
    owner: str
    attempts: int
    next_attempt_at: datetime | None
    last_error: str
    expired_count: int

    @property
    def lag(self) -> int:
        """Entries that the group has still to handle."""
        return max(0, self.end - self.offset)


def outbox_depth() -> int:
    """Messages published and not yet relayed."""
    return OutboxMessage.objects.filter(relayed_at=None).count()


def lag() -> list[PartitionLag]:
    """Every partition of every group, sorted."""
    with connection.cursor() as cursor:
        cursor.execute(_LAG)
        return [
            PartitionLag(group, stream, partition, offset, end, owner if is_alive else "", *rest)
            for group, stream, partition, offset, end, owner, is_alive, *rest in cursor.fetchall()
        ]


def dead_letter_counts() -> dict[tuple[str, str], int]:
    """Waiting dead letters by (origin, reason)."""
    waiting = DeadLetter.objects.filter(state=DeadLetter.State.WAITING)
    rows = waiting.values_list("origin", "reason").annotate(count=Count("*")).order_by("origin", "reason")
    return {(origin, reason): count for origin, reason, count in rows}


def work_queue_depths() -> dict[str, dict[str, int]]:
    """Items by queue and state, finished ones left out: they are kept for a while only."""
    open_items = WorkItem.objects.exclude(state__in=[WorkItem.State.DONE, WorkItem.State.EXPIRED])
    depths: dict[str, dict[str, int]] = defaultdict(dict)
    rows: Any = open_items.values_list("queue", "state").annotate(count=Count("*")).order_by("queue", "state")
    for queue, state, count in rows:
        depths[queue][state] = count
    return dict(depths)
