"""The hub: holds this process's live connections and gives each the postings it wants, in order, once."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress

from notifications.clock import clock
from notifications.crowds import CROWD
from notifications.insight.models import Stage
from notifications.insight.tally import tally
from notifications.models import PRESSING_KINDS
from notifications.queries import ReadNews, ViewerState

from . import metrics
from .broadcast import Broadcast
from .connection import NEVER, NO_FLOORS, Connection
from .frames import Frame
from .index import Index
from .interest import Interest
from .order import Hole, Release, Sequencer
from .posted import Posted
from .protocol import Ping, ReadNotice, Reset, ResetReason
from .repeats import Repeats

MAX_BUFFERED = 200  # releases, while a connection resumes
GATHER_SECONDS = 0.4  # while a crowd resumes: a write to each costs the same for one posting as for a few
CONNECTIONS_AT_ONCE = 256  # then a broadcast lets other work in


class Hub:
    """Postings come in as hints or from PostgreSQL, both by `accept`; `deliver_all` hands them on."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.sequencer = Sequencer()
        self.epoch = ""  # of the database, as far as the tick knows
        self._index = Index()
        self._by_viewer: dict[int, set[Connection]] = defaultdict(set)
        self._delivered: dict[str, int] = {}  # how far `deliver_all` has come in each topic
        self._released: asyncio.Queue[Release] = asyncio.Queue()
        self._resuming: set[Connection] = set()
        self._is_pressing = asyncio.Event()  # something is released that waits for no crowd
        self._broadcasts = 0  # that were begun
        self._repeats = Repeats()

    # --- connections -----------------------------------------------------------------------------------------------
    def join(self, connection: Connection) -> None:
        """Take a connection in; it gets postings only once it has resumed."""
        self.connections.add(connection)
        self._by_viewer[connection.identity.viewer_id].add(connection)
        metrics.connections.inc()

    def leave(self, connection: Connection) -> None:
        """Let a connection go."""
        self.withdraw(connection)
        self._repeats.forget(connection)
        self.connections.discard(connection)
        of_viewer = self._by_viewer[connection.identity.viewer_id]
        of_viewer.discard(connection)
        if not of_viewer:
            del self._by_viewer[connection.identity.viewer_id]
        metrics.connections.dec()

    def of_viewer(self, viewer_id: int) -> list[Connection]:
        """The viewer's connections to this process."""
        return list(self._by_viewer.get(viewer_id, ()))

    @property
    def is_crowded(self) -> bool:
        """Whether many resume just now."""
        return len(self._resuming) >= CROWD

    def register(self, connection: Connection, topics: Iterable[str]) -> None:
        """Begin to keep what is released in `topics` for a connection that is about to read the database."""
        wanted = set(topics)
        self._index.await_resume(connection, wanted)
        self.sequencer.track(wanted)
        self._drop(connection, connection.registered if connection.is_live else connection.registered - wanted)
        connection.live_since = NEVER
        connection.buffer = []
        connection.registered = wanted
        self._resuming.add(connection)

    def begins_above(self, state: ViewerState) -> bool:
        """Whether something that came after this was never released here, so that nothing was kept of it.

        Of two who follow what nobody here has followed before, the one with the older snapshot may be answered last.
        """
        return self.sequencer.begins_above({topic: state.positions[topic] for topic in state.topics})

    def settle(self, connection: Connection, state: ViewerState) -> None:
        """The database has been read: give the connection what came after that, and everything from now on."""
        self._drop(connection, connection.registered - state.topics.keys())
        connection.interest = interest = Interest.of(state)
        connection.registered = interest.filters.keys()
        connection.read_version = state.read_version
        connection.period = interest.period_at(clock.time())
        connection.floors = {topic: state.positions[topic] for topic in interest.filters}
        for topic, head in connection.floors.items():
            self._delivered.setdefault(topic, head)
        self._queue(self.sequencer.settle(connection.floors))
        buffered, connection.buffer = connection.buffer or [], None
        self._resuming.discard(connection)
        for release in buffered:
            self._catch_up(connection, release)
        if connection.interest is not None:  # none of them has asked for a reset
            self._go_live(connection)

    def _go_live(self, connection: Connection) -> None:
        # What is delivered up to here comes no more: keep the floors of the rest, as a rule of none.
        floors = connection.floors.items()
        ahead = {topic: head for topic, head in floors if self._delivered.get(topic, head) < head}
        connection.floors = ahead or NO_FLOORS
        self._index.settle(connection)
        connection.live_since = self._broadcasts

    def withdraw(self, connection: Connection) -> None:
        """Give the connection no more postings."""
        self._drop(connection, connection.registered)
        connection.live_since = NEVER
        connection.buffer = None
        connection.registered = frozenset()
        self._resuming.discard(connection)

    def _drop(self, connection: Connection, topics: Iterable[str]) -> None:
        empty = self._index.remove(connection, topics)
        for topic in empty:
            self._delivered.pop(topic, None)
        if empty:
            self._queue(self.sequencer.forget(empty))

    # --- postings --------------------------------------------------------------------------------------------------
    def accept(self, posted: Posted) -> int:
        """Take in a posting; it is delivered when its turn comes. How many turns have come by it."""
        return self._queue(self.sequencer.accept(posted))

    def give_up(self, hole: Hole) -> None:
        """Pass over postings that are not to be had."""
        self._queue(self.sequencer.give_up(hole))

    def _queue(self, releases: Sequence[Release]) -> int:
        for release in releases:
            self._released.put_nowait(release)
            if release.posted.kind in PRESSING_KINDS:
                self._is_pressing.set()
        return len(releases)

    async def deliver_all(self) -> None:
        """Hand what is released to the connections, for ever: all that is due, in one write to each."""
        is_full = False
        while True:
            due = [await self._released.get()]
            if self.is_crowded and not is_full:
                await self._gather()
            self._is_pressing.clear()
            self._broadcasts += 1
            broadcast = Broadcast()
            self._plan(due[0], broadcast)
            while not (broadcast.is_full or self._released.empty()):
                due.append(self._released.get_nowait())
                self._plan(due[-1], broadcast)
            is_full = broadcast.is_full
            await self._send(broadcast)
            for release in due:
                for topic in release.topics:
                    if topic in self._delivered:
                        self._delivered[topic] = max(self._delivered[topic], release.posted.positions[topic])

    async def _gather(self) -> None:
        """Wait for more to send with it, unless it is pressing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_SECONDS):
                await self._is_pressing.wait()

    def _plan(self, release: Release, broadcast: Broadcast) -> None:
        """Decide who gets a release. Each gets it once, whatever the topics it came by."""
        posted = release.posted
        is_over = posted.has_expired()
        if is_over:
            metrics.expired.inc()
        for connection in self._index.resuming(release):
            self._keep(connection, release)
        receivers = set() if is_over else self._index.receivers(release)
        broadcast.reset(self._index.losing(release) - receivers)
        broadcast.add(posted, self._repeats.pass_over(posted, receivers))

    async def _send(self, broadcast: Broadcast) -> None:
        """Write; let other work in after every few.

        Whoever is live since before the broadcast was planned has its part coming. Others have withdrawn meanwhile,
        or are resuming: what they read from the database holds all that is in here.
        """
        this = self._broadcasts
        async for few in _a_few_at_a_time(broadcast.to_reset):
            for connection in few:
                if connection.live_since < this:
                    self.reset(connection, "entitlement")
        async for few in _a_few_at_a_time(broadcast.receivers()):
            for connection in few:
                if connection.live_since < this:
                    part = broadcast.part_of(connection)
                    connection.offer(part.outgoing)
                    connection.await_ack(part.postings)
        metrics.pushed.inc(broadcast.pushed)
        for notification_id, viewer_ids in broadcast.reached():
            tally.note(Stage.PUSHED, (notification_id,), viewer_ids)

    def _keep(self, connection: Connection, release: Release) -> None:
        """Keep a release for a connection that is reading the database."""
        if connection.buffer is not None:
            connection.buffer.append(release)
            if len(connection.buffer) > MAX_BUFFERED:
                self.reset(connection, "too-many")

    def _catch_up(self, connection: Connection, release: Release) -> None:
        """Give a connection what was kept for it."""
        posted = release.posted
        if not posted.has_expired() and any(connection.wants(posted, topic) for topic in release.topics):
            if self._repeats.pass_over(posted, {connection}):
                connection.offer(posted.frame)
                connection.await_ack((posted,))
                metrics.pushed.inc()
                tally.note(Stage.PUSHED, (posted.notification,), (connection.identity.viewer_id,))
        elif any(connection.may_lose(posted, topic) for topic in release.topics):
            self.reset(connection, "entitlement")

    # --- other news ------------------------------------------------------------------------------------------------
    def positions(self, connection: Connection) -> dict[str, int]:
        """Up to where everything was queued for the connection, or was not for it."""
        if not connection.is_live:
            return {}
        floors = connection.floors
        return {topic: max(floors.get(topic, 0), self._delivered[topic]) for topic in connection.registered}

    def ping(self, connection: Connection) -> None:
        """Say how far the client is, and ask whether it is there."""
        connection.offer(Frame.of(Ping(positions=self.positions(connection))))

    def tell_read(self, viewer_id: int, news: ReadNews) -> bool:
        """Tell the viewer's tabs what was read. False when one of them has missed something before this."""
        frame = Frame.of(ReadNotice.of(news))
        complete = True
        for connection in self.of_viewer(viewer_id):
            if connection.interest is not None and connection.read_version < news.version:
                complete = complete and connection.read_version == news.version - 1
                connection.read_version = news.version
                connection.offer(frame)
        return complete

    def reset(self, connection: Connection, reason: ResetReason) -> None:
        """Tell a client to load its list again; it gets no more postings until it resumes."""
        self.withdraw(connection)
        connection.interest = None
        connection.offer(Frame.of(Reset(reason=reason)))

    def reset_all(self, reason: ResetReason) -> None:
        """Reset every connection: the database is another one."""
        for connection in list(self.connections):
            self.reset(connection, reason)


async def _a_few_at_a_time(connections: Iterable[Connection]) -> AsyncIterator[Sequence[Connection]]:
    """These, in handfuls; after each one, other work has its turn."""
    ordered = list(connections)
    for start in range(0, len(ordered), CONNECTIONS_AT_ONCE):
        yield ordered[start : start + CONNECTIONS_AT_ONCE]
        await asyncio.sleep(0)
