"""The hub: holds this process's live connections and gives each the postings it wants, in order, once."""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from weakref import WeakSet

from notifications.models import KIDS_MAX_MATURITY
from notifications.queries import ReadNews, ViewerState

from . import metrics
from .connection import Connection
from .frames import Frame
from .interest import Interest
from .order import Hole, Release, Sequencer
from .posted import Posted
from .protocol import Ping, ReadNotice, Reset, ResetReason

MAX_BUFFERED = 200  # releases, while a connection resumes
CONNECTIONS_AT_ONCE = 256  # then a broadcast lets other work in
REMEMBERED = 256


class Hub:
    """Postings come in as hints or from PostgreSQL, both by `accept`; `deliver_all` hands them on."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.sequencer = Sequencer()
        self.epoch = ""  # of the database, as far as the tick knows
        self._by_topic: dict[str, set[Connection]] = defaultdict(set)
        self._by_viewer: dict[int, set[Connection]] = defaultdict(set)
        self._delivered: dict[str, int] = {}  # how far `deliver_all` has come in each topic
        self._released: asyncio.Queue[Release] = asyncio.Queue()
        self._ahead: OrderedDict[tuple[int, int], WeakSet[Connection]] = OrderedDict()

    # --- connections -----------------------------------------------------------------------------------------------
    def join(self, connection: Connection) -> None:
        """Take a connection in; it gets postings only once it has resumed."""
        self.connections.add(connection)
        self._by_viewer[connection.identity.viewer_id].add(connection)
        metrics.connections.inc()

    def leave(self, connection: Connection) -> None:
        """Let a connection go."""
        self.withdraw(connection)
        self.connections.discard(connection)
        of_viewer = self._by_viewer[connection.identity.viewer_id]
        of_viewer.discard(connection)
        if not of_viewer:
            del self._by_viewer[connection.identity.viewer_id]
        metrics.connections.dec()

    def of_viewer(self, viewer_id: int) -> list[Connection]:
        """The viewer's connections to this process."""
        return list(self._by_viewer.get(viewer_id, ()))

    def register(self, connection: Connection, topics: Iterable[str]) -> None:
        """Begin to keep what is released in `topics` for a connection that is about to read the database."""
        wanted = set(topics)
        connection.is_live = False
        connection.buffer = []
        for topic in wanted:
            self._by_topic[topic].add(connection)
            self.sequencer.track(topic)
        self._drop(connection, connection.registered - wanted)
        connection.registered = wanted

    def settle(self, connection: Connection, state: ViewerState) -> None:
        """The database has been read: give the connection what came after that, and everything from now on."""
        self._drop(connection, connection.registered - state.topics.keys())
        connection.interest = interest = Interest.of(state)
        connection.registered = interest.topics.keys()
        connection.read_version = state.read_version
        connection.was_member = interest.is_member_at(time.time())
        connection.floors = {topic: state.positions[topic] for topic in interest.topics}
        for topic, head in connection.floors.items():
            self._delivered.setdefault(topic, head)
        self._queue(self.sequencer.settle(connection.floors))
        buffered, connection.buffer = connection.buffer or [], None
        connection.is_live = True
        for release in buffered:
            self._offer(release, connection)
        # What is delivered up to here comes no more: keep the floors of the rest, as a rule of none.
        floors = connection.floors.items()
        connection.floors = {topic: head for topic, head in floors if self._delivered.get(topic, head) < head}

    def withdraw(self, connection: Connection) -> None:
        """Give the connection no more postings."""
        connection.is_live = False
        connection.buffer = None
        self._drop(connection, connection.registered)
        connection.registered = frozenset()

    def _drop(self, connection: Connection, topics: Iterable[str]) -> None:
        empty = []
        for topic in topics:
            self._by_topic[topic].discard(connection)
            if not self._by_topic[topic]:
                del self._by_topic[topic]
                self._delivered.pop(topic, None)
                empty.append(topic)
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
        return len(releases)

    async def deliver_all(self) -> None:
        """Hand what is released to the connections, for ever. A broadcast to many lets other work in between."""
        while True:
            release = await self._released.get()
            await self.deliver(release)
            for topic in release.topics:
                if topic in self._delivered:
                    self._delivered[topic] = max(self._delivered[topic], release.posted.positions[topic])

    async def deliver(self, release: Release) -> None:
        """Hand one posting to every local connection that wants it, each once, whatever the topics it came by."""
        if release.posted.has_expired():
            metrics.expired.inc()
            return
        receivers = set().union(*(self._by_topic.get(topic, ()) for topic in release.topics))
        for number, connection in enumerate(receivers, start=1):
            self._offer(release, connection)
            if number % CONNECTIONS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _offer(self, release: Release, connection: Connection) -> None:
        posted = release.posted
        if connection.buffer is not None:
            connection.buffer.append(release)
            if len(connection.buffer) > MAX_BUFFERED:
                self.reset(connection, "too-many")
        elif connection.is_live and any(connection.wants(posted, topic) for topic in release.topics):
            if self._is_first(posted, connection):
                connection.offer(posted.frame)
                metrics.pushed.inc()
        elif connection.is_live and _may_have_to_go(posted, connection):
            self.reset(connection, "entitlement")

    def _is_first(self, posted: Posted, connection: Connection) -> bool:
        """Whether the connection has not had this state already, by the posting of an earlier revision."""
        key = (posted.notification, posted.shown)
        if posted.shown > posted.revision:
            self._ahead.setdefault(key, WeakSet())
            if len(self._ahead) > REMEMBERED:
                self._ahead.popitem(last=False)
        had = self._ahead.get(key)
        if had is None:
            return True
        if connection in had:
            return False
        had.add(connection)
        return True

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
        frame = Frame.of(ReadNotice(ids=news.ids, positions=news.positions, unread=news.unread))
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


def _may_have_to_go(posted: Posted, connection: Connection) -> bool:
    """Whether a card that a child has on screen was just rated for adults."""
    is_kids = connection.interest is not None and connection.interest.is_kids
    return is_kids and posted.revision > 1 and posted.maturity > KIDS_MAX_MATURITY
