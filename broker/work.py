"""Work queues: the item's row is the truth; who holds its lease runs it, and only the holder may finish it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.db import connection, transaction

from . import clock, dead_letters, logical_clock, trace, wake
from .backoff import delay_after
from .current import current_topology, handler_at
from .dead_letters import describe
from .errors import InvalidMessage, PermanentFailure
from .formats import for_handler
from .heartbeat import heartbeat
from .messages import Message, from_body, to_text
from .models import DeadLetter, WorkItem
from .topology import WorkQueue
from .wake import WakeUp

logger = structlog.get_logger(__name__)

SOON_SECONDS = 5.0  # a retry within this time is sent as a countdown; later ones are left to the beat

# The sharers of a queue take turns: a sharer's next item gets the turn after its last one, or, if that is over, the one
# that the queue is at. So whoever comes with one item waits for one item of each other sharer at most, not for a flood.
_ADD = """
    WITH item AS (
        SELECT *, row_number() OVER (PARTITION BY queue, sharer ORDER BY position) AS place
        FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[]) AS item (queue, sharer, position, body)
        WHERE NOT EXISTS (
            SELECT FROM broker_workitem AS known WHERE known.queue = item.queue AND known.position = item.position
        )
    ), front AS (
        SELECT queue, coalesce(
            (SELECT min(turn) - 1 FROM broker_workitem AS waiting
                WHERE waiting.queue = wanted.queue AND state = 'ready' AND attempts = 0),
            (SELECT max(last_turn) FROM broker_workturn AS given WHERE given.queue = wanted.queue),
            0
        ) AS turn
        FROM (SELECT DISTINCT queue FROM item) AS wanted
    ), begun AS (
        SELECT queue, sharer, greatest(front.turn, given.last_turn) AS turn, count(*) AS items
        FROM item JOIN front USING (queue) LEFT JOIN broker_workturn AS given USING (queue, sharer)
        GROUP BY queue, sharer, front.turn, given.last_turn
    ), kept AS (
        INSERT INTO broker_workturn (queue, sharer, last_turn)
        SELECT queue, sharer, turn + items FROM begun ORDER BY queue, sharer
        ON CONFLICT (queue, sharer) DO UPDATE SET last_turn = EXCLUDED.last_turn
    )
    INSERT INTO broker_workitem
        (queue, position, body, state, attempts, next_attempt_at, woken_at, last_error, turn)
    SELECT queue, position, body::jsonb, 'ready', 0, now(), now(), '', begun.turn + item.place
    FROM item JOIN begun USING (queue, sharer) ORDER BY position
    ON CONFLICT (queue, position) DO NOTHING
    RETURNING id, queue
"""
# A wake-up is for its item if that was tried before, and else for whichever item of the queue has its turn.
_CLAIM = """
    WITH named AS (
        SELECT id, queue FROM broker_workitem WHERE id = %(item)s
    ), again AS (
        SELECT id FROM broker_workitem WHERE id = %(item)s AND attempts > 0 AND (
            (state = 'ready' AND next_attempt_at <= now()) OR (state = 'running' AND lease_expires_at <= now())
        )
        FOR UPDATE SKIP LOCKED
    ), first AS (
        SELECT id FROM broker_workitem
        WHERE queue = (SELECT queue FROM named) AND state = 'ready' AND attempts = 0 AND NOT EXISTS (SELECT FROM again)
        ORDER BY turn, id LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    UPDATE broker_workitem AS item
    SET state = 'running', attempts = item.attempts + 1, lease_token = %(token)s, started_at = now(),
        lease_expires_at = now() + make_interval(secs => queue.seconds)
    FROM unnest(%(names)s::text[], %(seconds)s::float8[]) AS queue (name, seconds)
    WHERE item.id = coalesce((SELECT id FROM again), (SELECT id FROM first)) AND item.queue = queue.name
        AND NOT EXISTS (SELECT FROM broker_pausedqueue AS paused WHERE paused.queue = item.queue)
    RETURNING item.id, item.queue, item.attempts, item.position, item.body
"""
# This commit does not wait for the disk. A crash of the server forgets the latest of all commits, in their order: an
# item that is still done afterwards has all of its handler's work, and any other runs again.
_FINISH = """
    UPDATE broker_workitem
    SET state = %(state)s, finished_at = now(), lease_token = NULL, lease_expires_at = NULL, last_error = %(error)s
    WHERE id = %(item)s AND lease_token = %(token)s
    RETURNING set_config('synchronous_commit', 'off', true)
"""
_RETRY = """
    UPDATE broker_workitem
    SET state = 'ready', lease_token = NULL, lease_expires_at = NULL, last_error = %(error)s,
        next_attempt_at = now() + make_interval(secs => %(delay)s),
        woken_at = CASE WHEN %(woken)s THEN now() + make_interval(secs => %(delay)s) END
    WHERE id = %(item)s AND lease_token = %(token)s
"""
_REVIVE = """
    UPDATE broker_workitem
    SET state = 'ready', attempts = 0, next_attempt_at = now(), woken_at = now(), body = %s::jsonb
    WHERE queue = %s AND position = %s AND state = 'dead' RETURNING id, queue
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to run an item once, until the lease expires unrenewed. `attempts` counts this one."""

    item_id: int
    token: UUID
    queue: WorkQueue
    attempts: int
    position: int
    body: dict[str, Any]


def add(items: Sequence[tuple[WorkQueue, Message]]) -> list[WakeUp]:
    """Put messages that have positions into queues; those that are there already stay as they are.

    Returns the wake-ups to be sent once the transaction has committed.
    """
    columns: list[Any] = [
        [queue.name for queue, _ in items],
        [str(message.headers.get(queue.fair_by, "")) for queue, message in items],
        [message.position for _, message in items],
        [to_text(message) for _, message in items],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_ADD, columns)
        return _wake_ups(cursor.fetchall())


def revive(*, queue: str, message: Message) -> None:
    """Make a dead item ready again as `message`, with all its attempts; or add it anew if it was pruned."""
    with connection.cursor() as cursor:
        cursor.execute(_REVIVE, [to_text(message), queue, message.position])
        wake_ups = _wake_ups(cursor.fetchall()) or add([(_queues()[queue], message)])
    transaction.on_commit(lambda: wake.send(wake_ups))


def run(item_id: int) -> bool:
    """Follow a wake-up: run this item if it is due for another try, or else the one whose turn it is in its queue.

    Returns whether there was anything to run. Outside any transaction. Never raises what the handler raises: that is
    kept on the row of the item.
    """
    claim = _claim(item_id)
    if claim is None:
        return False
    try:
        message = for_handler(from_body(claim.body))
    except InvalidMessage as error:
        _bury(claim, error, DeadLetter.Reason.INVALID)
        return True
    if clock.has_expired(message):
        _finish(claim, WorkItem.State.EXPIRED)
    elif claim.attempts > claim.queue.max_attempts:
        _bury(claim, "In each attempt the worker died, or was silent for longer than its lease")
    else:
        logical_clock.observe(message)
        with trace.handling(message, by=f"queue:{claim.queue.name}"):
            _attempt(claim, message)
    return True


def _claim(item_id: int) -> Claim | None:
    queues, token = _queues(), uuid4()
    seconds = [queue.lease_seconds for queue in queues.values()]
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"item": item_id, "token": token, "names": list(queues), "seconds": seconds})
        row = cursor.fetchone()
    if row is None:
        return None
    claimed_id, name, attempts, position, body = row
    return Claim(
        item_id=claimed_id, token=token, queue=queues[name], attempts=attempts, position=position, body=json.loads(body)
    )


def _attempt(claim: Claim, message: Message) -> None:
    try:
        with heartbeat(item_id=claim.item_id, token=claim.token, lease_seconds=claim.queue.lease_seconds):
            handler_at(claim.queue.handler)(message)
    except Exception as error:
        if isinstance(error, PermanentFailure) or claim.attempts >= claim.queue.max_attempts:
            _bury(claim, error)
        else:
            _retry(claim, error)
    else:
        _finish(claim, WorkItem.State.DONE)


def _finish(claim: Claim, state: WorkItem.State, *, error: str = "") -> bool:
    """End the item, unless its lease went to somebody else meanwhile; returns whether it did."""
    values: dict[str, Any] = {"item": claim.item_id, "token": claim.token, "state": state, "error": error}
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, values)
        is_mine = bool(cursor.rowcount)
    if not is_mine:
        logger.warning("work_item_fenced", item_id=claim.item_id, queue=claim.queue.name)
    return is_mine


def _retry(claim: Claim, error: Exception) -> None:
    delay = delay_after(claim.attempts)
    soon = delay <= SOON_SECONDS
    values: dict[str, Any] = {
        "item": claim.item_id,
        "token": claim.token,
        "delay": delay,
        "woken": soon,
        "error": describe(error),
    }
    with connection.cursor() as cursor:
        cursor.execute(_RETRY, values)
        is_mine = cursor.rowcount == 1
    logger.warning("work_item_failed", item_id=claim.item_id, queue=claim.queue.name, error=str(error), delay=delay)
    if soon and is_mine:
        wake.send([WakeUp(claim.item_id, claim.queue.lane)], delay=delay)


def _bury(claim: Claim, error: Exception | str, reason: DeadLetter.Reason = DeadLetter.Reason.HANDLER_FAILED) -> None:
    with transaction.atomic():
        if _finish(claim, WorkItem.State.DEAD, error=describe(error)):
            dead_letters.record(
                reason=reason,
                origin=f"queue:{claim.queue.name}",
                body=claim.body,
                position=claim.position,
                attempts=min(claim.attempts, claim.queue.max_attempts),
                error=error,
            )


def _queues() -> dict[str, WorkQueue]:
    return {queue.name: queue for queue in current_topology().queues}


def _wake_ups(rows: Sequence[tuple[int, str]]) -> list[WakeUp]:
    queues = _queues()
    return [WakeUp(item_id, queues[name].lane) for item_id, name in rows]
