"""The relay: takes what was published to where the topology says, in the order of its commits.

Three steps, fenced by the relay's lease, so that at most one relay has any effect: give positions; append; mark as
relayed. Where the log stands in PostgreSQL they are one commit, and what goes to streams as it was published never
leaves the server. Elsewhere each is committed by itself, and a kill between two of them repeats the later one: what is
appended twice has the same position, which a consumer group has passed already, and work items are unique by position.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.db import connection, transaction

from . import dead_letters, hints, leases, log_state, placement, wake, work
from .arrays import array
from .current import current_topology
from .errors import InvalidMessage, LeaseLost, LogCutShort
from .messages import REQUIRED, HeaderValue, Message, are_headers, from_text
from .models import DeadLetter
from .routing import partition_for, route
from .shapes import exchanges_to_plain_streams, shape, steps_by_place
from .streams import Log, OutboxTaker, engine
from .topology import Stream, Topology, WorkQueue
from .wake import WakeUp

logger = structlog.get_logger(__name__)

LEASE = "relay"
VERIFY_SECONDS = 5.0
MAX_BATCH_BYTES = 32 * 1024 * 1024

# Rows are found by what they lack, never by `id > last`: a transaction that drew a low id may commit after one with a
# high id. Those that have positions come first: their relay was killed, and what it appended has these positions.
_NEXT = """
    SELECT lease.counter, waiting.id, waiting.position, exchange, routing_key, key, headers, body
    FROM broker_lease AS lease LEFT JOIN LATERAL (
        SELECT *, sum(bytes) OVER (ORDER BY position, id ROWS UNBOUNDED PRECEDING) - bytes AS before
        FROM (
            SELECT id, position, exchange, routing_key, key, pg_column_size(body) AS bytes,
                CASE WHEN is_plain THEN body -> 'headers' END AS headers, CASE WHEN NOT is_plain THEN body END AS body
            FROM broker_outboxmessage, LATERAL (
                SELECT exchange = ANY(%(plain)s::text[]) AND body ?& %(required)s::text[] AS is_plain
            ) AS way
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
            elif relayed <= settings.BROKER_FEW:
                stop.wait(settings.BROKER_GROW_SECONDS)
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


class _Address(NamedTuple):
    """What routing looks at, and the key."""

    exchange: str
    routing_key: str
    key: str
    headers: Mapping[str, HeaderValue]


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A row of the outbox. `stored` is the position that the row holds, `position` the one that it gets or has.

    Nobody need read the `text` of one with an `address`: it goes to streams alone, and as it stands.
    """

    id: int
    position: int
    stored: int | None
    address: _Address | None
    text: str | None


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

    taken: dict[Log, list[_Waiting]] = field(default_factory=dict)  # by the engine, from the outbox
    entries: dict[Log, list[Message]] = field(default_factory=dict)
    items: list[tuple[WorkQueue, Message]] = field(default_factory=list)
    undeliverable: list[_Undeliverable] = field(default_factory=list)


def _next_batch(generation: int) -> _Batch:
    """What waits, with the positions that it has or is to get. Raises `LeaseLost`."""
    values: dict[str, Any] = {
        "lease": LEASE,
        "generation": generation,
        "limit": settings.BROKER_RELAY_BATCH,
        "bytes": MAX_BATCH_BYTES,
        "plain": list(exchanges_to_plain_streams(current_topology())) if _taker() else [],
        "required": [*REQUIRED, "data"],
    }
    with connection.cursor() as cursor:
        cursor.execute(f"{_KEEP_TO_INDEXES};{_NEXT}", values)  # both at once: there and back takes its time, too
        cursor.nextset()
        rows = cursor.fetchall()
    if not rows:
        raise LeaseLost(f"{LEASE}, generation {generation}")
    counter, waiting = rows[0][0], []
    for _, id_, stored, exchange, routing_key, key, headers, text in rows:
        if id_ is None:  # the lease's row alone: nothing waits
            break
        counter += stored is None
        named = json.loads(headers) if headers else {}
        is_plain = not text and are_headers(named)
        address = _Address(exchange, routing_key, key, named) if is_plain else None
        position = counter if stored is None else stored
        waiting.append(_Waiting(id=id_, position=position, stored=stored, address=address, text=text))
    return _Batch(waiting=waiting, counter=counter)


def _taker() -> OutboxTaker | None:
    """The engine, if what it appends is part of the relay's commit."""
    streams = engine()
    return streams if streams.joins_transaction and isinstance(streams, OutboxTaker) else None


def _text_of(row: _Waiting) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM broker_outboxmessage WHERE id = %s", [row.id])
        text: str = cursor.fetchone()[0]
    return text


def _give_positions(batch: _Batch) -> None:
    new = [row for row in batch.waiting if row.stored is None]
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_POSITIONS, [array(row.id for row in new), array(row.position for row in new)])
    for row in new:
        row.stored = row.position


def _plan(batch: _Batch) -> _Plan:
    plan, topology = _Plan(), current_topology()
    for row in batch.waiting:
        if row.address and (places := route(row.address, topology)):
            for place in places:
                if isinstance(place, Stream):  # as they all are
                    _take(row, row.address.key, place, plan)
        else:
            _plan_read(row, row.text or _text_of(row), topology, plan)
    return plan


def _plan_read(row: _Waiting, text: str, topology: Topology, plan: _Plan) -> None:
    reason = DeadLetter.Reason.INVALID
    try:
        message = from_text(text, position=row.position)
        if _place(row, message, topology, plan):
            return
        reason, error = DeadLetter.Reason.UNROUTABLE, f"No binding of exchange {message.exchange!r} matched"
    except InvalidMessage as invalid:
        error = str(invalid)
    body = {**json.loads(text), "position": row.position}
    plan.undeliverable.append(_Undeliverable(position=row.position, body=body, reason=reason, error=error))


def _place(row: _Waiting, message: Message, topology: Topology, plan: _Plan) -> bool:
    """Note where a message goes; returns whether it goes anywhere."""
    # Every shape is made before any is noted: a message goes to all of its places, or to the dead letters alone.
    shapes = [(place, shape(message, place, topology)) for place in route(message, topology)]
    is_taken = _taker() is not None
    for place, shaped in shapes:
        if not isinstance(place, Stream):
            plan.items.append((place, shaped))
        elif is_taken and place.name not in steps_by_place(topology):
            _take(row, shaped.key, place, plan)
        else:
            log = (place.name, partition_for(shaped.key, place.partitions))
            plan.entries.setdefault(log, []).append(shaped)
    return bool(shapes)


def _take(row: _Waiting, key: str, place: Stream, plan: _Plan) -> None:
    plan.taken.setdefault((place.name, partition_for(key, place.partitions)), []).append(row)


def _hint(plan: _Plan) -> None:
    if streams := {stream for stream, _ in (*plan.taken, *plan.entries)}:
        hints.send(hints.STREAM, streams)


def _append(plan: _Plan) -> list[WakeUp]:
    if taker := _taker():
        for (stream, partition), rows in sorted(plan.taken.items(), key=lambda item: item[0]):
            taker.take(stream, partition, rows)
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
    columns = (row.id for row in rows), (row.position for row in rows), (row.stored for row in rows)
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [array(column) for column in columns])
