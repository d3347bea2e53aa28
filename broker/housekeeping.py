"""What the beat keeps in order: wake-ups that were lost, and rows that nobody needs any more."""

from collections import defaultdict

from django.db import connection

from . import wake
from .current import current_topology
from .wake import WakeUp

UNHEARD_SECONDS = 10.0  # a wake-up not followed by a claim within this time may be lost
LANE_FILL = 100  # wake-ups in a lane; while so many lie there unread, more would only pile up
RETENTION = "1 day"
CHUNK = 5_000  # rows deleted in a statement

_DUE = """
    UPDATE broker_workitem SET woken_at = now()
    WHERE id IN (
        SELECT id FROM broker_workitem
        WHERE queue = ANY(%s) AND (woken_at IS NULL OR woken_at <= now() - make_interval(secs => %s)) AND (
            (state = 'ready' AND next_attempt_at <= now()) OR (state = 'running' AND lease_expires_at <= now())
        )
        ORDER BY next_attempt_at LIMIT %s
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id
"""
# A relayed row goes before the items made from it, and never after: an unmarked one would make them anew.
_PRUNE_OUTBOX = """
    DELETE FROM broker_outboxmessage WHERE id IN (
        SELECT id FROM broker_outboxmessage WHERE relayed_at < now() - %s::interval LIMIT %s
    )
"""
_PRUNE_ITEMS = """
    DELETE FROM broker_workitem WHERE id IN (
        SELECT id FROM broker_workitem AS item
        WHERE finished_at < now() - %s::interval AND state IN ('done', 'expired') AND NOT EXISTS (
            SELECT FROM broker_outboxmessage AS message
            WHERE message.position = item.position AND message.relayed_at IS NULL
        )
        LIMIT %s
    )
"""


def wake_due_items() -> int:
    """Send wake-ups for due items, oldest first, as many as their lanes have room for; returns how many were sent."""
    lanes: dict[str, list[str]] = defaultdict(list)
    for queue in current_topology().queues:
        lanes[queue.lane].append(queue.name)
    sent = 0
    for lane, queues in lanes.items():
        room = LANE_FILL - wake.waiting(lane)
        if room > 0:
            with connection.cursor() as cursor:
                cursor.execute(_DUE, [queues, UNHEARD_SECONDS, room])
                due = [WakeUp(item_id, lane) for (item_id,) in cursor.fetchall()]
            wake.send(due)
            sent += len(due)
    return sent


def prune() -> int:
    """Delete relayed outbox rows and finished work items older than the retention; returns how many."""
    return sum(_delete_in_chunks(statement) for statement in (_PRUNE_OUTBOX, _PRUNE_ITEMS))


def _delete_in_chunks(statement: str) -> int:
    deleted = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(statement, [RETENTION, CHUNK])
            count: int = cursor.rowcount
            deleted += count
            if count < CHUNK:
                return deleted
