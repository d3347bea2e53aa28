"""Vector clocks: they tell "after" from "at the same time", which no single number can.

After C. Fidge, "Timestamps in Message-Passing Systems That Preserve the Partial Ordering", 1988. A clock counts, for
each node, how many of its steps are known. One that knows all that another knows, and more, comes after it; where
each knows a step that the other does not, the two are concurrent: somebody has to decide.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Self


class Order(Enum):
    """How one clock stands to another."""

    EQUAL = "equal"
    BEFORE = "before"
    AFTER = "after"
    CONCURRENT = "concurrent"


class VectorClock(Mapping[str, int]):
    """Immutable; a node that is not named has taken no step."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Mapping[str, int] | None = None) -> None:
        """Raises `ValueError` for a count that is no positive whole number."""
        for node, count in (steps or {}).items():
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise ValueError(f"The count of {node!r} must be a whole number from 1, not {count!r}")
        self._steps = dict(steps or {})

    def __getitem__(self, node: str) -> int:
        return self._steps[node]

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __hash__(self) -> int:
        return hash(frozenset(self._steps.items()))

    def __repr__(self) -> str:
        return f"VectorClock({self._steps})"

    def tick(self, node: str) -> Self:
        """One step of `node` further."""
        return type(self)({**self._steps, node: self.get(node, 0) + 1})

    def merge(self, other: "VectorClock") -> Self:
        """What both know together."""
        return type(self)({node: max(self.get(node, 0), other.get(node, 0)) for node in {*self, *other}})

    def compare(self, other: "VectorClock") -> Order:
        """How this clock stands to `other`."""
        knows_all, is_known = other.is_within(self), self.is_within(other)
        if knows_all:
            return Order.EQUAL if is_known else Order.AFTER
        return Order.BEFORE if is_known else Order.CONCURRENT

    def is_within(self, other: "VectorClock") -> bool:
        """Whether `other` knows every step that this clock knows."""
        return all(count <= other.get(node, 0) for node, count in self.items())
