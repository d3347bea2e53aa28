"""Who listens in the live benchmarks, by number: fifty topics each, mixed kinds, one in five a child.

Without Django: the servers that ours is measured against use it too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

TOPICS = tuple(f"bench:{number}" for number in range(100))
ALL = "bench:all"  # followed by everybody, for every kind
FOLLOWED = 49  # and the one above
POSTED_TOPICS = frozenset({TOPICS[0], TOPICS[25], TOPICS[50], TOPICS[75], ALL})
KINDS: Sequence[tuple[str, ...]] = (("premiere", "episode", "live_event"), ("premiere", "episode"), ("premiere",))
ADULT = 12  # a maturity that a child does not see


@dataclass(frozen=True, slots=True)
class Follower:
    """One listener."""

    topics: frozenset[str]
    kinds: tuple[str, ...]
    is_kids: bool

    def wants(self, kind: str, maturity: int) -> bool:
        """Whether a posting in one of the topics passes the filters."""
        return kind in self.kinds and not (self.is_kids and maturity == ADULT)


@cache
def follower(number: int) -> Follower:
    """The listener with this number."""
    topics = frozenset(TOPICS[(number * 7 + place) % len(TOPICS)] for place in range(FOLLOWED)) | {ALL}
    return Follower(topics, KINDS[number % 3], number % 5 == 0)


@dataclass(frozen=True, slots=True)
class Sample:
    """What is posted: where, of which kind, rated how."""

    topics: tuple[str, ...]
    kind: str
    maturity: int

    def receivers(self, count: int) -> int:
        """How many of the first `count` listeners get it."""
        listeners = (follower(number) for number in range(count))
        return sum(not one.topics.isdisjoint(self.topics) and one.wants(self.kind, self.maturity) for one in listeners)


SAMPLES = (
    Sample((TOPICS[0],), "premiere", 0),
    Sample((TOPICS[25],), "episode", 0),
    Sample((TOPICS[50],), "premiere", ADULT),
    Sample((TOPICS[75],), "premiere", 0),
)
TO_ALL = Sample((ALL,), "premiere", 0)
