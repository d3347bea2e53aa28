"""What a live connection keeps of its viewer: no more than decides which postings to send, as there are thousands."""

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from typing import Self
from weakref import WeakValueDictionary

from notifications.models import KIDS_MAX_MATURITY
from notifications.queries import ViewerState

from .posted import Posted

Period = tuple[float, float]  # [start, end) in seconds since 1970
NEVER_MUTED = float("-inf")
_NOTHING: Mapping[str, float] = {}
ALWAYS: Period = (float("-inf"), float("inf"))
NO_PERIOD: Period = (float("inf"), float("inf"))  # it never begins, nor ends


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Filter:
    """What a viewer wants of a topic. All who want the same share one, and a posting is held against it once for all.

    Only `shared` makes them, so one is told from another by its identity, which costs nothing.

    A new rule has its place here: a field for what profile or subscription say, and a condition in `passes`. What
    differs from viewer to viewer, such as a moment, would leave everybody alone with a filter of their own: that
    belongs with the bounds of `index.Group`.
    """

    kinds: frozenset[str]
    is_kids: bool
    languages: frozenset[str]  # none: any
    region: str

    @staticmethod
    def shared(kinds: frozenset[str], is_kids: bool, languages: frozenset[str], region: str) -> "Filter":
        """The one with these values, for as long as anybody has it."""
        values = (kinds, is_kids, languages, region)
        filter_ = _filters.get(values)
        if filter_ is None:
            filter_ = _filters[values] = Filter(*values)
        return filter_

    def passes(self, posted: Posted) -> bool:
        """Whether a posting is for those who have this filter, if they are members and came before it.

        But for the kinds it is `sql/_suits.sql`.
        """
        return (
            posted.kind in self.kinds
            and (posted.maturity <= KIDS_MAX_MATURITY or not self.is_kids)
            and (not posted.languages or not self.languages or not posted.languages.isdisjoint(self.languages))
            and (posted.regions is None or self.region in posted.regions)
        )

    def may_lose(self, posted: Posted) -> bool:
        """Whether those who have this filter may hold a card that is not for them any more: `sql/_may_hide.sql`."""
        return (
            posted.changes_audience
            and posted.kind in self.kinds
            and (posted.concerns is None or self.region in posted.concerns)
        )


_filters: WeakValueDictionary[tuple[frozenset[str], bool, frozenset[str], str], Filter] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Interest:
    """A viewer's entitlement, as of a version."""

    entitlement_version: int
    periods: tuple[Period, ...]  # of membership
    filters: Mapping[str, Filter]  # of the topics followed
    muted: Mapping[str, float]  # of these, until when

    @classmethod
    def of(cls, state: ViewerState) -> Self:
        """From what the database says; names and filters are shared by all connections of the process."""
        profile = (state.is_kids, state.languages, state.region)
        by_kinds = {kinds: Filter.shared(kinds, *profile) for kinds in set(state.topics.values())}
        filters = {intern(topic): by_kinds[kinds] for topic, kinds in state.topics.items()}
        return cls(state.entitlement_version, state.periods, filters, state.muted or _NOTHING)

    def hears_from(self, topic: str) -> float:
        """From when on what is posted to `topic` reaches the viewer, as far as a mute is concerned."""
        return self.muted.get(topic, NEVER_MUTED)

    def period_at(self, moment: float) -> Period:
        """The membership period that contains `moment` (seconds since 1970), or `NO_PERIOD`."""
        return next((period for period in self.periods if period[0] <= moment < period[1]), NO_PERIOD)

    def is_member_at(self, moment: float) -> bool:
        """Whether there is such a period."""
        return self.period_at(moment) is not NO_PERIOD
