"""The relay: takes what was published to where the topology says, in the order of its commits.

Three steps, fenced by the relay's lease, so that at most one relay has any effect: give positions; append; mark as
relayed. Where the log stands in PostgreSQL they are one commit. Elsewhere each is committed by itself, and a kill
between two of them repeats the later one: what is appended twice has the same position, which a consumer group has
passed already, and work items are unique by position.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction

from . import dead_letters, hints, leases, log_state, placement, wake, work
from .current import current_topology
from .errors import InvalidMessage, LeaseLost, LogCutShort
from .messages import Message, from_text
from .models import DeadLetter
from .routing import partition_for, route
from .shapes import shape
from .streams import engine
from .topology import Stream, Topology, WorkQueue
from .wake import WakeUp

logger = structlog.get_logger(__name__)

LEASE = "relay"
VERIFY_SECONDS = 5.0
MAX_BATCH_BYTES = 32 * 1024 * 1024

# Rows are found by what they lack, never by `id > last`: a transaction that drew a low id may commit after one with a
# high id. Those that have positions come first: their relay was killed, and what it appended has these positions.
_NEXT = """
    SELECT lease.counter, waiting.id, waiting.position, waiting.body
    FROM broker_lease AS lease LEFT JOIN LATERAL (
        SELECT id, position, body, sum(bytes) OVER (ORDER BY position, id ROWS UNBOUNDED PRECEDING) - bytes AS before
        FROM (
            SELECT id, position, body, pg_column_size(body) AS bytes FROM broker_outboxmessage
            WHERE relayed_at IS NULL AND (position IS NOT NULL OR coalesce(lease.paused_until <= now(), true))
            ORDER BY position, id LIMIT %(limit)s
        ) AS oldest
    ) AS waiting ON waiting.before < %(bytes)s
    WHERE lease.name = %(lease)s AND lease.generation = %(generation)s
"""
# The planner believes that few rows wait, so it would fetch all and sort them, in each batch, when a million do.
_KEEP_TO_INDEXES = """
    SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
        set_config('enable_seqscan', 'off', true)
"""
_GIVE_POSITIONS = """
    UPDATE broker_outboxmessage AS message SET position = given.position
    FROM unnest(%s::bigint[], %s::bigint[]) AS given (id, position)
    WHERE message.id = given.id AND message.position IS NULL
"""
# A replay that took the row's position away in between wants it relayed again.
_MARK = """
    UPDATE broker_outboxmessage AS message SET position = given.position, relayed_at = now()
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS given (id, position, stored)
    WHERE message.id = given.id AND message.position IS NOT DISTINCT FROM given.stored
"""


def run_relay(*, owner: str, hint: threading.Event, stop: threading.Event, sender: wake.Sender) -> None:
    """Relay until `stop` is set; stand by while another process holds the lease."""
    generation, verify_at = None, 0.0
    try:
        while not stop.is_set():
            hint.clear()
            try:
                generation, verify_at = _hold(generation, verify_at, owner=owner)
                relayed = relay_batch(generation=generation, send=sender.put) if generation else 0
            except LeaseLost:
                logger.warning("relay_fenced", generation=generation)
                generation = None
                continue
            except LogCutShort as cut:
                log_state.make_up(cut.stream, cut.partition, has_new=True, lease=LEASE, generation=generation or 0)
                continue
            if not relayed:
                hint.wait(settings.BROKER_POLL_SECONDS)
    finally:
        if generation and stop.is_set():
            leases.release(LEASE, generation=generation)


def _hold(generation: int | None, verify_at: float, *, owner: str) -> tuple[int | None, float]:
    """The lease's generation, taken if need be, and when to look next whether the engine still has what it had."""
    if generation is None:
        generation, verify_at = leases.take(LEASE, owner=owner), 0.0
        if generation:
            placement.check()
    if generation and not engine().joins_transaction and time.monotonic() >= verify_at:
        log_state.verify(lease=LEASE, generation=generation)
        verify_at = time.monotonic() + VERIFY_SECONDS
    return generation, verify_at


def relay_batch(*, generation: int, send: Callable[[Sequence[WakeUp]], None] = wake.send) -> int:
    """Relay what waits in the outbox, as much as one batch holds, and return how many messages that was.

    Raises `LeaseLost` when a newer generation of the relay's lease exists: nothing was changed then.
    """
    relay = _in_one_commit if engine().joins_transaction else _in_three_commits
    return relay(generation, send)


def _in_one_commit(generation: int, send: Callable[[Sequence[WakeUp]], None]) -> int:
    with transaction.atomic():
        batch = _next_batch(generation)
        if not batch.waiting:
            return 0
        plan = _plan(batch)
        wake_ups = _append(plan)
        _mark(batch)
        leases.advance(LEASE, generation=generation, counter=batch.counter)
    _hint(plan)
    send(wake_ups)
    return len(batch.waiting)


def _in_three_commits(generation: int, send: Callable[[Sequence[WakeUp]], None]) -> int:
    with transaction.atomic():
        batch = _next_batch(generation)
        if not batch.waiting:
            return 0
        _give_positions(batch)
        leases.advance(LEASE, generation=generation, counter=batch.counter)
    plan = _plan(batch)
    with leases.fenced(LEASE, generation=generation):
        wake_ups = _append(plan)
    # Hints go out before the marking: a consumer need not wait for it.
    _hint(plan)
    send(wake_ups)
    with leases.fenced(LEASE, generation=generation):
        _mark(batch)
        log_state.record(plan.entries)
    return len(batch.waiting)


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A row of the outbox. `stored` is the position that the row holds, `position` the one that it gets or has."""

    id: int
    position: int
    stored: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What is relayed together; `counter` is the last position given, with it."""

    waiting: Sequence[_Waiting]
    counter: int


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


def _next_batch(generation: int) -> _Batch:
    """What waits, with the positions that it has or is to get. Raises `LeaseLost`."""
    values: dict[str, Any] = {
        "lease": LEASE,
        "generation": generation,
        "limit": settings.BROKER_RELAY_BATCH,
        "bytes": MAX_BATCH_BYTES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_KEEP_TO_INDEXES)
        cursor.execute(_NEXT, values)
        rows = cursor.fetchall()
    if not rows:
        raise LeaseLost(f"{LEASE}, generation {generation}")
    counter, waiting = rows[0][0], []
    for _, id_, stored, text in rows:
        if id_ is None:  # the lease's row alone: nothing waits
            break
        counter += stored is None
        waiting.append(_Waiting(id=id_, position=counter if stored is None else stored, stored=stored, text=text))
    return _Batch(waiting=waiting, counter=counter)


def _give_positions(batch: _Batch) -> None:
    new = [row for row in batch.waiting if row.stored is None]
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_POSITIONS, [[row.id for row in new], [row.position for row in new]])
    for row in new:
        row.stored = row.position


def _plan(batch: _Batch) -> _Plan:
    plan, topology = _Plan(), current_topology()
    for row in batch.waiting:
        reason = DeadLetter.Reason.INVALID
        try:
            message = from_text(row.text, position=row.position)
            if _place(message, topology, plan):
                continue
            reason, error = DeadLetter.Reason.UNROUTABLE, f"No binding of exchange {message.exchange!r} matched"
        except InvalidMessage as invalid:
            error = str(invalid)
        body = {**json.loads(row.text), "position": row.position}
        plan.undeliverable.append(_Undeliverable(position=row.position, body=body, reason=reason, error=error))
    return plan


def _place(message: Message, topology: Topology, plan: _Plan) -> bool:
    """Note where a message goes; returns whether it goes anywhere."""
    # Every shape is made before any is noted: a message goes to all of its places, or to the dead letters alone.
    shapes = [(place, shape(message, place, topology)) for place in route(message, topology)]
    for place, shaped in shapes:
        if isinstance(place, Stream):
            log = (place.name, partition_for(shaped.key, place.partitions))
            plan.entries.setdefault(log, []).append(shaped)
        else:
            plan.items.append((place, shaped))
    return bool(shapes)


def _hint(plan: _Plan) -> None:
    if plan.entries:
        hints.send(hints.STREAM, {stream for stream, _ in plan.entries})


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


def _mark(batch: _Batch) -> None:
    rows = batch.waiting
    values: list[Any] = [[getattr(row, name) for row in rows] for name in ("id", "position", "stored")]
    with connection.cursor() as cursor:
        cursor.execute(_MARK, values)
