"""Projections: tables whose rows follow from events alone, so that they can be made again."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.db.models import Model
from django.utils.module_loading import import_string

from .errors import CannotRebuild
from .event_order import histories
from .event_store import RecordedEvent

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A table with one row an aggregate.

    `row` is the one place that says how the row follows from the aggregate's history: commands call it for the
    aggregate that they changed, in their transaction; a rebuild calls it for all. It reads no clock and no table, and
    returns a value for each concrete field, by `attname`.
    """

    model: type[Model]
    prefix: str  # of the names of its aggregates: "order:"
    row: Callable[[str, Iterable[RecordedEvent]], Row]

    def rows(self, *, only: list[str] | None = None) -> Iterator[Row]:
        """The row of each aggregate, or of `only` some; however many there are, it holds one page of events."""
        for aggregate, events in groupby(histories(prefix=self.prefix, only=only), key=itemgetter(0)):
            yield self.row(aggregate, (event for _, event in events))


def projection_named(name: str) -> Projection:
    """The projection in `settings.BROKER_PROJECTIONS`, a dotted path by name. Raises `CannotRebuild`, `TypeError`."""
    known: Mapping[str, str] = settings.BROKER_PROJECTIONS
    if name not in known:
        raise CannotRebuild(f"There is no projection {name!r}; there are: {', '.join(sorted(known))}.")
    projection = import_string(known[name])
    if not isinstance(projection, Projection):
        raise TypeError(f"BROKER_PROJECTIONS: {known[name]} is not a Projection")
    return projection
