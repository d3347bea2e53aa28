"""Rebuilding a projection while the system runs: fill a shadow table, compare, swap.

    create ──▶ fill ──▶ catch up ──▶ keys and indexes ──▶ compare in one snapshot ──▶ lock, catch up, swap

Each arrow is a commit, fenced by a lease. A kill anywhere before the last leaves the live table as it was and a shadow
that the next run drops; a kill after it leaves the old table, which the next run drops, too.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from . import event_order, leases
from .errors import CannotRebuild
from .projections import Projection, Row, projection_named
from .shadow import ROWS_AT_ONCE, Differences, Shadow

logger = structlog.get_logger(__name__)

LOCK_TIMEOUT = "300ms"  # others queue behind us while we wait for a lock: never for longer, rather try again
LOCK_ATTEMPTS = 200
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What a rebuild did. `differences` are those of the live table before it, in one snapshot."""

    rows: int
    seconds: float
    differences: Differences
    swapped: bool


def rebuild_projection(name: str, *, swap: bool = True) -> Rebuilt:
    """Make the projection's table anew from its events, and with `swap` put it in the live one's place.

    Call it outside a transaction. Raises `CannotRebuild` while another rebuild runs, `LeaseLost` when another took
    over, and `EventsFromElsewhere`; the live table is untouched then.
    """
    projection, started = projection_named(name), time.monotonic()
    lease = f"projection:{name}"
    rebuild = _Rebuild(projection, lease=lease, generation=_taken(lease))
    try:
        rows = rebuild.fill()
        differences = rebuild.compare()
        if swap:
            rebuild.swap()
        rebuild.clear()
    finally:
        leases.release(lease, generation=rebuild.generation)
    seconds = time.monotonic() - started
    logger.info("projection_rebuilt", projection=name, rows=rows, differences=differences.total, swapped=swap)
    return Rebuilt(rows=rows, seconds=seconds, differences=differences, swapped=swap)


class _Rebuild:
    """One run. `place` is up to where all events are in the shadow."""

    def __init__(self, projection: Projection, *, lease: str, generation: int) -> None:
        self.projection = projection
        self.shadow = Shadow(projection.model)
        self.lease, self.generation = lease, generation
        self.place = event_order.START

    def fill(self) -> int:
        """Make the shadow and write a row for each aggregate; returns how many."""
        self._patiently(self.shadow.create)
        self.place = event_order.horizon()
        rows, written = self.projection.rows(), 0
        while chunk := self._write_some(rows):
            written += chunk
        self._catch_up()
        self._patiently(self.shadow.complete)
        self._patiently(self.shadow.validate)
        self._catch_up()
        return written

    def compare(self) -> Differences:
        """The live table against the shadow in one snapshot: there, rows and their events go together."""
        with self._step(isolation="REPEATABLE READ"):
            self._write_rest()
            return self.shadow.compare()

    def swap(self) -> None:
        """With the live table locked nothing is appended whose row is not written: so what is visible is all."""
        self._patiently(self._swap)

    def clear(self) -> None:
        """Drop the table that is of no use any more."""
        self._patiently(self.shadow.drop)

    def _swap(self) -> None:
        self.shadow.lock_live()
        self._write_rest()
        self.shadow.swap()

    def _write_some(self, rows: Iterator[Row]) -> int:
        with self._step():
            return self.shadow.write(islice(rows, ROWS_AT_ONCE))

    def _catch_up(self) -> None:
        """Follow the order of all events up to its horizon; an aggregate that has moved is written anew, whole."""
        while events := event_order.read_all(after=self.place):
            moved = {event.aggregate for event in events if event.aggregate.startswith(self.projection.prefix)}
            with self._step():
                self.shadow.write(self.projection.rows(only=sorted(moved)))
            self.place = events[-1].place

    def _write_rest(self) -> None:
        """What this transaction sees beyond the horizon. More may come there, so the place stays."""
        rest = event_order.aggregates_since(self.place, prefix=self.projection.prefix)
        self.shadow.write(self.projection.rows(only=rest))

    def _patiently(self, work: Callable[[], None]) -> None:
        """Run `work`, which needs locks, in a step; give way and try again while others hold them."""
        for _ in range(LOCK_ATTEMPTS):
            try:
                with self._step(lock_timeout=LOCK_TIMEOUT):
                    return work()
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
            time.sleep(PAUSE_SECONDS)
        raise CannotRebuild(f"{self.shadow.live} was in use all the time: no lock could be had.")

    @contextmanager
    def _step(self, *, isolation: str = "READ COMMITTED", lock_timeout: str = "0") -> Iterator[None]:
        """A transaction that commits only under our lease, and renews it."""
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
                cursor.execute(f"SET LOCAL lock_timeout = '{lock_timeout}'")
            yield
            leases.renew(self.lease, generation=self.generation)


def _taken(lease: str) -> int:
    """The generation under which the lease is ours. Waits as long as one that was killed may still seem to hold it."""
    owner, deadline = uuid4().hex, time.monotonic() + settings.BROKER_LEASE_SECONDS + 1
    while not (generation := leases.take(lease, owner=owner)):
        if time.monotonic() > deadline:
            raise CannotRebuild("Another rebuild of this projection is running.")
        time.sleep(PAUSE_SECONDS)
    return generation
