"""What the beat keeps in order: wake-ups that were lost, and rows that nobody needs any more."""

from collections import defaultdict

from django.db import connection

from . import wake
from .current import current_topology
from .queries import paused_queues
from .wake import WakeUp

UNHEARD_SECONDS = 10.0  # a wake-up not followed by a claim within this time may be lost
LANE_FILL = 100  # wake-ups in a lane; while so many lie there unread, more would only pile up
RETENTION = "1 day"
CHUNK = 5_000  # rows deleted in a statement

# Materialized: a plan that looks among the due ones for each item would pass over those that it has just updated, and
# go beyond the limit.
_DUE = """
    WITH due AS MATERIALIZED (
        SELECT of_queue.id FROM unnest(%(queues)s::text[]) AS wanted (queue), LATERAL (
            SELECT id FROM broker_workitem AS item
            WHERE item.queue = wanted.queue
                AND (woken_at IS NULL OR woken_at <= now() - make_interval(secs => %(unheard)s))
                AND (
                    (state = 'ready' AND next_attempt_at <= now()) OR (state = 'running' AND lease_expires_at <= now())
                )
            ORDER BY next_attempt_at LIMIT %(room)s
            FOR UPDATE SKIP LOCKED
        ) AS of_queue
    )
    UPDATE broker_workitem AS item SET woken_at = now() FROM due WHERE item.id = due.id
    RETURNING item.id
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
# The greatest one stays: it is where an empty queue goes on.
_PRUNE_TURNS = """
    DELETE FROM broker_workturn AS given USING (
        SELECT queue, max(last_turn) AS newest FROM broker_workturn GROUP BY queue
    ) AS head
    WHERE given.queue = head.queue AND given.last_turn < least(head.newest, coalesce((
        SELECT min(turn) FROM broker_workitem AS waiting
        WHERE waiting.queue = given.queue AND state = 'ready' AND attempts = 0
    ), head.newest))
"""


def wake_due_items() -> int:
    """Send wake-ups for due items, as many as their lanes have room for; returns how many were sent.

    The queues of a lane share its room equally; paused ones have none.
    """
    paused = paused_queues()
    lanes: dict[str, list[str]] = defaultdict(list)
    for queue in current_topology().queues:
        if queue.name not in paused:
            lanes[queue.lane].append(queue.name)
    sent = 0
    for lane, names in lanes.items():
        room = -((wake.waiting(lane) - LANE_FILL) // len(names))  # rounded up
        if room > 0:
            with connection.cursor() as cursor:
                cursor.execute(_DUE, {"queues": names, "unheard": UNHEARD_SECONDS, "room": room})
                due = [WakeUp(item_id, lane) for (item_id,) in cursor.fetchall()]
            wake.send(due)
            sent += len(due)
    return sent


def prune() -> int:
    """Delete relayed outbox rows and finished work items older than the retention; returns how many.

    Forgets turns that are over, too: a sharer without a turn of its own begins where the queue is.
    """
    deleted = sum(_delete_in_chunks(statement) for statement in (_PRUNE_OUTBOX, _PRUNE_ITEMS))
    with connection.cursor() as cursor:
        cursor.execute(_PRUNE_TURNS)
    return deleted


def _delete_in_chunks(statement: str) -> int:
    deleted = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(statement, [RETENTION, CHUNK])
            count: int = cursor.rowcount
            deleted += count
            if count < CHUNK:
                return deleted
