"""The relay: takes what was published to where the topology says, in the order of its commits.

Three steps, each committed by itself and each fenced by the relay's lease, so that at most one relay has any effect:
give positions; append; mark as relayed. A kill between two of them repeats the later one: what is appended twice has
the same position, which a consumer group has passed already, and work items are unique by position.
"""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from . import dead_letters, hints, leases, wake, work
from .current import current_topology
from .errors import InvalidMessage, LeaseLost
from .messages import Message, from_body
from .models import DeadLetter, OutboxMessage
from .routing import partition_for, route
from .shapes import shape
from .streams import engine
from .topology import Stream, WorkQueue
from .wake import WakeUp

logger = structlog.get_logger(__name__)

LEASE = "relay"
MAX_BATCH_BYTES = 32 * 1024 * 1024

# One statement, so one commit. Rows are found by what they lack, never by `id > last`: a transaction that drew a low
# id may commit after one with a high id. The lease's row serialises relays and holds the last position given.
_GIVE_POSITIONS = """
    WITH batch AS (
        SELECT id, row_number() OVER (ORDER BY id) AS number FROM (
            SELECT id FROM broker_outboxmessage WHERE relayed_at IS NULL AND position IS NULL
            ORDER BY id LIMIT %(limit)s
        ) AS waiting
    ), fence AS (
        UPDATE broker_lease SET counter = counter + (SELECT count(*) FROM batch)
        WHERE name = %(lease)s AND generation = %(generation)s AND EXISTS (SELECT FROM batch)
        RETURNING counter - (SELECT count(*) FROM batch) AS last
    )
    UPDATE broker_outboxmessage AS message SET position = fence.last + batch.number
    FROM batch, fence WHERE message.id = batch.id AND message.position IS NULL
"""
_NEXT = """
    SELECT position, body FROM (
        SELECT position, body, sum(bytes) OVER (ORDER BY position) - bytes AS bytes_before FROM (
            SELECT position, body, pg_column_size(body) AS bytes FROM broker_outboxmessage
            WHERE relayed_at IS NULL AND position IS NOT NULL ORDER BY position LIMIT %s
        ) AS waiting
    ) AS measured WHERE bytes_before < %s ORDER BY position
"""


def run_relay(*, owner: str, hint: threading.Event, stop: threading.Event, sender: wake.Sender) -> None:
    """Relay until `stop` is set; stand by while another process holds the lease."""
    generation = None
    try:
        while not stop.is_set():
            hint.clear()
            generation = generation or leases.take(LEASE, owner=owner)
            try:
                relayed = relay_batch(generation=generation, send=sender.put) if generation else 0
            except LeaseLost:
                logger.warning("relay_fenced", generation=generation)
                generation = None
                continue
            if not relayed:
                hint.wait(settings.BROKER_POLL_SECONDS)
    finally:
        if generation and stop.is_set():
            leases.release(LEASE, generation=generation)


def relay_batch(*, generation: int, send: Callable[[Sequence[WakeUp]], None] = wake.send) -> int:
    """Relay what waits in the outbox, as much as one batch holds, and return how many messages that was.

    Raises `LeaseLost` when a newer generation of the relay's lease exists: nothing was changed then.
    """
    _give_positions(generation)
    batch = _next_batch()
    if not batch:
        leases.check(LEASE, generation=generation)  # or a relay that lost it would never stand by for it again
        return 0
    plan = _plan(batch)
    with leases.fenced(LEASE, generation=generation):
        wake_ups = _append(plan)
    # Hints go out before the marking: a consumer need not wait for it.
    if plan.entries:
        hints.send(hints.STREAM, {stream for stream, _ in plan.entries})
    send(wake_ups)
    with leases.fenced(LEASE, generation=generation):
        _mark([position for position, _ in batch])
    return len(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Undeliverable:
    """A message that goes to the dead letters instead."""

    position: int
    body: dict[str, Any]
    reason: DeadLetter.Reason
    error: str


@dataclass(slots=True)
class _Plan:
    """Where a batch goes: everything that routing decides, before anything is written."""

    entries: dict[tuple[str, int], list[Message]] = field(default_factory=dict)
    items: list[tuple[WorkQueue, Message]] = field(default_factory=list)
    undeliverable: list[_Undeliverable] = field(default_factory=list)


def _give_positions(generation: int) -> None:
    limit = settings.BROKER_RELAY_BATCH
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_POSITIONS, {"limit": limit, "lease": LEASE, "generation": generation})


def _next_batch() -> list[tuple[int, dict[str, Any]]]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [settings.BROKER_RELAY_BATCH, MAX_BATCH_BYTES])
        return [(position, json.loads(body)) for position, body in cursor.fetchall()]


def _plan(batch: Sequence[tuple[int, dict[str, Any]]]) -> _Plan:
    plan = _Plan()
    for position, stored in batch:
        body = {**stored, "position": position}
        reason = DeadLetter.Reason.INVALID
        try:
            message = from_body(body)
            if _place(message, plan):
                continue
            reason, error = DeadLetter.Reason.UNROUTABLE, f"No binding of exchange {message.exchange!r} matched"
        except InvalidMessage as invalid:
            error = str(invalid)
        plan.undeliverable.append(_Undeliverable(position=position, body=body, reason=reason, error=error))
    return plan


def _place(message: Message, plan: _Plan) -> bool:
    """Note where a message goes; returns whether it goes anywhere."""
    topology = current_topology()
    # Every shape is made before any is noted: a message goes to all of its places, or to the dead letters alone.
    shapes = [(place, shape(message, place, topology)) for place in route(message, topology)]
    for place, shaped in shapes:
        if isinstance(place, Stream):
            log = (place.name, partition_for(shaped.key, place.partitions))
            plan.entries.setdefault(log, []).append(shaped)
        else:
            plan.items.append((place, shaped))
    return bool(shapes)


def _append(plan: _Plan) -> list[WakeUp]:
    for (stream, partition), messages in sorted(plan.entries.items(), key=lambda item: item[0]):
        engine().append(stream, partition, messages)
    _dead_letter(plan)
    return work.add(plan.items) if plan.items else []


def _dead_letter(plan: _Plan) -> None:
    if not plan.undeliverable:
        return
    # One that was replayed or discarded between append and mark is not to come back.
    known = DeadLetter.objects.filter(position__in=[letter.position for letter in plan.undeliverable])
    known_positions = set(known.filter(origin__startswith="exchange:").values_list("position", flat=True))
    for letter in plan.undeliverable:
        if letter.position not in known_positions:
            dead_letters.record(
                reason=letter.reason,
                origin=f"exchange:{letter.body.get('exchange', '')}",
                body=letter.body,
                position=letter.position,
                attempts=0,
                error=letter.error,
            )


def _mark(positions: Sequence[int]) -> None:
    # By position, not by id: a replay that took the row's position away in between wants it relayed again.
    waiting = OutboxMessage.objects.filter(position__in=positions, relayed_at=None)
    waiting.update(relayed_at=Now())
