"""What a live connection keeps of its viewer: no more than decides which postings to send, as there are thousands."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from sys import intern
from typing import Self

from notifications.models import KIDS_MAX_MATURITY
from notifications.queries import ViewerState

from .posted import Posted

Period = tuple[float, float]  # [start, end) in seconds since 1970
NO_PERIOD: Period = (float("inf"), float("inf"))  # it never begins, nor ends


@dataclass(frozen=True, slots=True)
class Filter:
    """What a viewer wants of a topic. All who want the same share one, and a posting is held against it once for all.

    A new rule has its place here: a field for what profile or subscription say, and a condition in `passes`. What
    differs from viewer to viewer, such as a moment, would leave everybody alone with a filter of their own: that
    belongs with the bounds of `index.Group`.
    """

    kinds: frozenset[str]
    is_kids: bool

    def passes(self, posted: Posted) -> bool:
        """Whether a posting is for those who have this filter, if they are members and came before it."""
        return posted.kind in self.kinds and (posted.maturity <= KIDS_MAX_MATURITY or not self.is_kids)


@dataclass(frozen=True, slots=True)
class Interest:
    """A viewer's entitlement, as of a version."""

    entitlement_version: int
    is_kids: bool
    periods: tuple[Period, ...]  # of membership
    filters: Mapping[str, Filter]  # of the topics followed

    @classmethod
    def of(cls, state: ViewerState) -> Self:
        """From what the database says; names and filters are shared by all connections of the process."""
        filters = {intern(topic): _shared(Filter(kinds, state.is_kids)) for topic, kinds in state.topics.items()}
        return cls(state.entitlement_version, state.is_kids, state.periods, filters)

    def period_at(self, moment: float) -> Period:
        """The membership period that contains `moment` (seconds since 1970), or `NO_PERIOD`."""
        return next((period for period in self.periods if period[0] <= moment < period[1]), NO_PERIOD)

    def is_member_at(self, moment: float) -> bool:
        """Whether there is such a period."""
        return self.period_at(moment) is not NO_PERIOD


@cache
def _shared(filter_: Filter) -> Filter:
    """The one filter that equals this one; there are few, as there are few kinds and profiles."""
    return filter_
