"""Strict order per topic: what arrives out of order waits until what belongs before it is here. No clock, no I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .posted import Posted


@dataclass(frozen=True, slots=True)
class Release:
    """A posting whose turn has come, in those of its topics in which it is new."""

    posted: Posted
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """The seqs low to high of a topic, both included, that have not arrived."""

    topic: str
    low: int
    high: int


class Sequencer:
    """Releases postings in the order of their seqs in every tracked topic.

    Two postings that share topics have their seqs in the same order in each, because they were drawn under the same
    locks: so waiting for all topics at once can never wait in a ring.
    """

    def __init__(self) -> None:
        self._heads: dict[str, int | None] = {}  # the last seq released; None until the first snapshot tells
        self._begun: dict[str, int] = {}  # what that one told, if not 0: up to there nothing was ever released
        self._waiting: dict[tuple[str, int], Posted] = {}

    def track(self, topics: Iterable[str]) -> None:
        """Follow these; their postings wait until `settle` says where they stand."""
        for topic in topics:
            self._heads.setdefault(topic, None)

    def tracked(self) -> list[str]:
        """The topics that are followed."""
        return list(self._heads)

    def head(self, topic: str) -> int | None:
        """The last seq that was released in `topic`; None when that is not known."""
        return self._heads.get(topic)

    def begins_above(self, heads: Mapping[str, int]) -> bool:
        """Whether something above one of these heads is passed over: another snapshot, a newer one, has told first."""
        return any(seq < self._begun.get(topic, 0) for topic, seq in heads.items())

    def settle(self, heads: Mapping[str, int]) -> list[Release]:
        """Say where topics stand that nobody knew about yet; others are left alone."""
        unknown = [topic for topic in heads if topic in self._heads and self._heads[topic] is None]
        for topic in unknown:
            self._heads[topic] = heads[topic]
            if heads[topic]:
                self._begun[topic] = heads[topic]
        return self._drain(set(self._waiting.values())) if unknown else []

    def forget(self, topics: Iterable[str]) -> list[Release]:
        """Follow these no longer; what waited for them alone is released."""
        for topic in topics:
            self._heads.pop(topic, None)
            self._begun.pop(topic, None)
        return self._drain(set(self._waiting.values()))

    def accept(self, posted: Posted) -> list[Release]:
        """Take in a posting: what can be released now, in order. A duplicate releases nothing."""
        for topic, seq in posted.positions.items():
            if topic in self._heads:
                self._waiting.setdefault((topic, seq), posted)
        return self._drain({posted})

    def is_waiting(self) -> bool:
        """Whether anything is here before its turn."""
        return bool(self._waiting)

    def holes(self) -> list[Hole]:
        """What the waiting ones wait for."""
        first: dict[str, int] = {}
        for topic, seq in self._waiting:
            first[topic] = min(seq, first.get(topic, seq))
        return [
            Hole(topic, head + 1, seq - 1)
            for topic, seq in sorted(first.items())
            if (head := self._heads.get(topic)) is not None and seq > head + 1
        ]

    def behind(self, heads: Mapping[str, int]) -> list[Hole]:
        """What the database has, by its `heads`, and we have not released."""
        known = ((topic, self._heads.get(topic), seq) for topic, seq in sorted(heads.items()))
        return [Hole(topic, head + 1, seq) for topic, head, seq in known if head is not None and seq > head]

    def give_up(self, hole: Hole) -> list[Release]:
        """Pass over seqs that the database does not have (any more)."""
        head = self._heads.get(hole.topic)
        if head is None or not hole.low - 1 <= head < hole.high:
            return []
        present = [seq for topic, seq in self._waiting if topic == hole.topic and head < seq <= hole.high]
        self._heads[hole.topic] = min(present, default=hole.high + 1) - 1
        return self._drain(set(self._waiting.values()))

    def _drain(self, candidates: set[Posted]) -> list[Release]:
        released: list[Release] = []
        stack = sorted(candidates, key=lambda posted: posted.posted_at, reverse=True)
        while stack:
            posted = stack.pop()
            fresh = self._fresh(posted)
            if fresh is None:
                continue  # not yet
            for topic, seq in posted.positions.items():
                self._waiting.pop((topic, seq), None)
            if fresh:
                released.append(Release(posted, tuple(fresh)))
                for topic in fresh:
                    self._heads[topic] = posted.positions[topic]
                followers = (self._waiting.get((topic, posted.positions[topic] + 1)) for topic in fresh)
                stack += [follower for follower in followers if follower is not None]
        return released

    def _fresh(self, posted: Posted) -> list[str] | None:
        """The topics in which it is the next one; none when it is old; None when it must wait."""
        fresh = []
        for topic, seq in posted.positions.items():
            if topic not in self._heads:
                continue
            head = self._heads[topic]
            if head is None or seq > head + 1:
                return None
            if seq == head + 1:
                fresh.append(topic)
        return fresh
