"""Who is to get a posting: a process's connections by topic, and in each topic by filter."""

from collections.abc import Iterable

from .connection import Connection
from .interest import ALWAYS, Filter, Period
from .order import Release
from .posted import Posted


class Group:
    """Connections that follow one topic through one filter.

    A posting within the group's bounds is wanted by all of them or by none, so that nobody is asked. The bounds are
    what all have in common: members at the time of posting, and no mute. Outside of them, for instance when the first
    of many memberships has ended, each is asked (`Connection.wants`). Those who have just resumed may be further in
    the topic than what is being delivered; they are known one by one.
    """

    __slots__ = ("_ahead", "_end", "_start", "connections")

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self._ahead: dict[Connection, int] | None = None  # mostly nobody, and there are many groups
        self._forget_bounds()

    def add(self, connection: Connection, bounds: Period, floor: int | None) -> None:
        """Take one in, and draw the bounds closer. `floor` is how far it is in the topic, if it is ahead there."""
        self.connections.add(connection)
        if bounds[0] > self._start or bounds[1] < self._end:  # mostly not
            self._narrow(bounds)
        if floor is not None:
            self._ahead = self._ahead or {}
            self._ahead[connection] = floor

    def remove(self, connection: Connection) -> None:
        """Let one go."""
        self.connections.discard(connection)
        if self._ahead:
            self._ahead.pop(connection, None)

    def wanting(self, posted: Posted, topic: str) -> set[Connection]:
        """Those who want a posting that passes the filter."""
        if not self._start <= posted.posted_at < self._end:
            self._forget_bounds()  # whoever drew them this close may have left
            for connection in self.connections:
                self._narrow(connection.stance_in(topic)[1])
            return {connection for connection in self.connections if connection.wants(posted, topic)}
        if self._ahead:
            seq = posted.positions[topic]
            self._ahead = {connection: floor for connection, floor in self._ahead.items() if floor >= seq} or None
        return self.connections.difference(self._ahead) if self._ahead else self.connections

    def _forget_bounds(self) -> None:
        self._start, self._end = ALWAYS

    def _narrow(self, bounds: Period) -> None:
        self._start = max(self._start, bounds[0])
        self._end = min(self._end, bounds[1])


class Audience:
    """All who follow one topic. Those who are no members just now, or mute it, have groups of their own."""

    __slots__ = ("groups", "resuming")

    def __init__(self) -> None:
        self.groups: dict[tuple[Filter, bool], Group] = {}
        self.resuming: set[Connection] | None = None  # there are as many audiences as viewers: each has a topic

    def is_empty(self) -> bool:
        """Whether nobody is left."""
        return not self.groups and not self.resuming

    def await_resume(self, connection: Connection) -> None:
        """Note one who is about to resume."""
        if self.resuming is None:
            self.resuming = set()
        self.resuming.add(connection)

    def settle(self, connection: Connection, topic: str, of: Filter) -> None:
        """Put one who resumed into its group. Called for each topic of each of a crowd: every step counts."""
        self._end_resume(connection)
        hears, bounds = connection.stance_in(topic)
        key = (of, hears)
        if key not in self.groups:
            self.groups[key] = Group()
        self.groups[key].add(connection, bounds, connection.floors.get(topic))

    def remove(self, connection: Connection, topic: str) -> None:
        """Let one go, wherever it is."""
        if not connection.is_live:
            self._end_resume(connection)
            return
        key = (connection.filters[topic], connection.stance_in(topic)[0])
        self.groups[key].remove(connection)
        if not self.groups[key].connections:
            del self.groups[key]

    def _end_resume(self, connection: Connection) -> None:
        if self.resuming:
            self.resuming.discard(connection)
        self.resuming = self.resuming or None


class Index:
    """The audiences of all topics that somebody here follows."""

    def __init__(self) -> None:
        self._audiences: dict[str, Audience] = {}

    def await_resume(self, connection: Connection, topics: Iterable[str]) -> None:
        """Note who is about to resume, in these topics."""
        for topic in topics:
            if topic not in self._audiences:
                self._audiences[topic] = Audience()
            self._audiences[topic].await_resume(connection)

    def settle(self, connection: Connection) -> None:
        """Put one who resumed, and knows what it wants, into its groups."""
        for topic, of in connection.filters.items():
            self._audiences[topic].settle(connection, topic, of)

    def remove(self, connection: Connection, topics: Iterable[str]) -> list[str]:
        """Let one go from these topics; those in which nobody is left."""
        empty = []
        for topic in topics:
            audience = self._audiences[topic]
            audience.remove(connection, topic)
            if audience.is_empty():
                del self._audiences[topic]
                empty.append(topic)
        return empty

    def receivers(self, release: Release) -> set[Connection]:
        """Those who want a release, each once, whatever the topics it came by."""
        posted = release.posted
        groups = self._groups(release)
        return set().union(*(group.wanting(posted, topic) for topic, of, group in groups if of.passes(posted)))

    def losing(self, release: Release) -> set[Connection]:
        """Those who may hold a card that is not for them any more, if they do not get it anew."""
        posted = release.posted
        groups = [(topic, group) for topic, of, group in self._groups(release) if of.may_lose(posted)]
        return {one for topic, group in groups for one in group.connections if one.may_lose(posted, topic)}

    def resuming(self, release: Release) -> set[Connection]:
        """Those in the topics of a release who are about to resume."""
        audiences = (self._audiences.get(topic) for topic in release.topics)
        return set().union(*(audience.resuming for audience in audiences if audience and audience.resuming))

    def _groups(self, release: Release) -> Iterable[tuple[str, Filter, Group]]:
        for topic in release.topics:
            if topic in self._audiences:
                for (of, _), group in self._audiences[topic].groups.items():
                    yield topic, of, group
