"""The sender: claims what is due, sends it with bounded concurrency, and settles what came of it in batches.

One event loop sends; one thread talks to the database meanwhile. It holds at most `HELD` deliveries, and sends at
most `PER_HOST` of them to one host at a time, so that a host that hangs takes no more than its own places.
"""

import asyncio
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db import connection

from notifications.clock import clock

from .channels import Channels
from .claims import LEASE_SECONDS, Settled, claim, settle
from .models import Lane
from .outcomes import ANSWERED, Outcome, Verdict, ended, stumbled
from .parcels import Parcel

AT_ONCE = 64
PER_HOST = 16
HELD_PER_HOST = 32 * PER_HOST  # so many that none waits while others are claimed and settled
HELD = 4 * HELD_PER_HOST  # as `AT_ONCE` is of `PER_HOST`: three hosts that hang leave room for others
BATCH = 192  # claimed or settled together, at least, while there is enough
PAUSE_SECONDS = 0.05
LINGER_SECONDS = 0.5  # for which a sender stays when something was put off
MOVING_SECONDS = 0.5  # without a success, after which a host no longer restrains what is claimed for others
IDLE_SECONDS = 0.5  # between claims that find nothing
UNTRIED_AFTER_SECONDS = LEASE_SECONDS / 3  # what could not be begun by then is handed back

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


def drain(*, lanes: Iterable[int] = tuple(Lane), seconds: float = 60.0) -> int:
    """Send what is due in these lanes, those before others, until nothing is; how many attempts were settled.

    After `seconds` nothing more is claimed, and what is on its way is waited for.
    """
    return asyncio.run(Sender(lanes=lanes).run(seconds=seconds))


class Sender:
    """One run; see the module."""

    def __init__(self, *, lanes: Iterable[int] = tuple(Lane)) -> None:
        self._lanes = sorted(lanes)
        self._held: Counter[str] = Counter()
        self._settled: list[Settled] = []
        self._waiting: dict[str, deque[Parcel]] = defaultdict(deque)  # by host
        self._on_their_way = 0  # those included that wait
        self._loops: Counter[str] = Counter()  # that send to a host, one parcel after the other
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._database = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbound-database")
        self._moved: dict[str, float] = {}  # when a host last took something
        self._next_claim = 0.0
        self._lingers_until = 0.0
        self._count = 0

    async def run(self, *, seconds: float) -> int:
        """Until nothing is due, or `seconds` are over; then until nothing is on its way."""
        ends = time.monotonic() + seconds
        try:
            async with Channels(per_host=PER_HOST) as channels:
                try:
                    while await self._step(channels, may_claim=time.monotonic() < ends):
                        await self._pause()
                    return self._count
                finally:
                    await self._abandon()
        finally:
            await self._in_database(_disconnect)
            self._database.shutdown()

    async def _abandon(self) -> None:
        """End what is still on its way, when there is no going on: while there are channels yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _step(self, channels: Channels, *, may_claim: bool) -> bool:
        """Settle and claim where it is worth it; whether there is anything left to do."""
        if self._settled:
            settled, self._settled = self._settled, []
            await self._in_database(partial(settle, settled))
            self._count += len(settled)
            for parcel, outcome in settled:
                self._let_go(parcel, took_it=outcome.verdict in ANSWERED)
        found = may_claim and await self._claim(channels)
        return bool(found or self._tasks or self._settled or (may_claim and time.monotonic() < self._lingers_until))

    async def _claim(self, channels: Channels) -> bool:
        """Take more, lane by lane; whether something was due."""
        room, now = self._room(), time.monotonic()
        if room < BATCH or (self._tasks and now < self._next_claim):
            return bool(self._tasks)
        for lane in self._lanes:
            limit = min(room, BATCH)  # what is claimed first is sent while more is claimed
            take = partial(claim, lane=lane, limit=limit, per_host=HELD_PER_HOST, held=dict(self._held))
            claimed = await self._in_database(take)
            self._begin(channels, claimed.parcels)
            if claimed.seen == limit and self._room() >= BATCH:
                self._news.set()  # there is more, and there is room
            if claimed.seen > len(claimed.parcels):  # put off, for a moment it may be
                self._lingers_until = now + LINGER_SECONDS
                self._next_claim = now if claimed.parcels else now + PAUSE_SECONDS
            if claimed.seen:  # what is in later lanes waits for as long as there is something here
                return True
        self._next_claim = now + IDLE_SECONDS
        return False

    def _room(self) -> int:
        """How many to claim: no more than fit for the busiest host, unless that one does not move at all."""
        since = time.monotonic() - MOVING_SECONDS
        busiest = max((held for host, held in self._held.items() if self._moved.get(host, 0) > since), default=0)
        return min(HELD - self._held.total(), HELD_PER_HOST - busiest)

    def _begin(self, channels: Channels, parcels: Sequence[Parcel]) -> None:
        self._on_their_way += len(parcels)
        for parcel in parcels:
            self._held[parcel.host] += 1
            self._waiting[parcel.host].append(parcel)
            if self._loops[parcel.host] < PER_HOST:
                self._loops[parcel.host] += 1
                task = asyncio.create_task(self._deliver_to(parcel.host, channels))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _deliver_to(self, host: str, channels: Channels) -> None:
        """Send what waits for a host, until nothing does: a task for each parcel would cost as much as its headers."""
        waiting = self._waiting[host]
        while waiting:
            parcel = waiting.popleft()
            async with self._at_once:
                outcome = await _attempt(channels, parcel)
            self._on_their_way -= 1
            self._settled.append((parcel, outcome))
            if len(self._settled) >= BATCH or not self._on_their_way:
                self._news.set()
        self._loops[host] -= 1
        if not self._loops[host]:
            del self._loops[host], self._waiting[host]

    def _let_go(self, parcel: Parcel, *, took_it: bool) -> None:
        if took_it:
            self._moved[parcel.host] = time.monotonic()
        self._held[parcel.host] -= 1
        if not self._held[parcel.host]:
            del self._held[parcel.host]
            self._moved.pop(parcel.host, None)

    async def _pause(self) -> None:
        """Until a batch is done, or for a moment."""
        try:
            async with asyncio.timeout(PAUSE_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    async def _in_database(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._database, work)


async def _attempt(channels: Channels, parcel: Parcel) -> Outcome:
    card = next(iter(parcel.bundle.cards), None) if parcel.bundle else parcel.card
    if parcel.stale or parcel.email is None or card is None or card.recalled:
        return ended(Verdict.CANCELLED, parcel.stale or "There is nobody, or nothing, to tell any more.")
    if card.expires_at is not None and card.expires_at.timestamp() <= clock.time():
        return ended(Verdict.EXPIRED)
    if time.monotonic() - parcel.claimed_at > UNTRIED_AFTER_SECONDS:
        return ended(Verdict.UNTRIED)
    if parcel.attempts > settings.OUTBOUND_MAX_ATTEMPTS:
        return ended(Verdict.REFUSED, "In each attempt the worker died, or was silent for longer than its lease.")
    try:
        return await channels.send(parcel, card)
    except Exception as error:  # a bug of ours must not lose the others' outcomes; it is retried, then a dead letter
        logger.exception("Sending %s failed in a way that no channel foresaw", parcel.key)
        return stumbled(error)


def _disconnect() -> None:
    """Close the connection of the thread that runs this."""
    connection.close()
