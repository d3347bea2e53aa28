"""What a live connection keeps of its viewer: no more than decides which postings to send, as there are thousands."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from sys import intern
from typing import Self

from notifications.queries import ViewerState


@dataclass(frozen=True, slots=True)
class Interest:
    """A viewer's entitlement, as of a version."""

    entitlement_version: int
    is_kids: bool
    periods: tuple[tuple[float, float], ...]  # of membership, [start, end) in seconds since 1970
    topics: Mapping[str, frozenset[str]]  # followed, with the kinds wanted

    @classmethod
    def of(cls, state: ViewerState) -> Self:
        """From what the database says; names and sets of kinds are shared by all connections of the process."""
        topics = {intern(topic): _shared(kinds) for topic, kinds in state.topics.items()}
        return cls(state.entitlement_version, state.is_kids, state.periods, topics)

    def is_member_at(self, moment: float) -> bool:
        """Whether a membership period contains `moment` (seconds since 1970)."""
        return any(start <= moment < end for start, end in self.periods)


@cache
def _shared(kinds: frozenset[str]) -> frozenset[str]:
    """The one set that equals this one; there are as many as the kinds have subsets."""
    return kinds
