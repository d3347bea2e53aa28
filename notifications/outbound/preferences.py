"""What a viewer wants of the channels, as one document: read whole, replaced whole.

How it is obeyed stands in `sql/_wanted.sql` and `sql/_decision.sql`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from itertools import product

from django.db import transaction

from accounts.problems import Problem
from notifications.models import STANDING_TOPICS, Kind, Topic

from .models import Channel, Digest, Preference, cell_of

MOST_TOPICS = 500  # with channels of their own
MOST_A_DAY = 1000
MOST_MINUTES = 24 * 60  # for which the site alone may have the word


class InvalidPreferences(Problem):
    """Something in the preferences cannot be."""

    status = 422
    slug = "invalid-preferences"
    title = "These preferences cannot be kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The document. Its defaults are what holds for whoever never chose.

    `off` are cells (kind, channel) that are switched off, `topics` the channels of single topics, which count there
    instead; `caps` are notifications a day, `escalate_after` minutes.
    """

    off: frozenset[tuple[str, str]] = frozenset()
    topics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    quiet_hours: tuple[time, time] | None = None
    digest: Digest = Digest.NEVER
    digest_at: time = time(8)
    caps: Mapping[str, int] = field(default_factory=dict)
    escalate_after: int | None = None

    def wants(self, kind: str, channel: str) -> bool:
        """What the matrix says."""
        return (kind, channel) not in self.off


def preferences_of(*, viewer_id: int) -> Preferences:
    """What a viewer chose, or the defaults. One query."""
    row = Preference.objects.filter(pk=viewer_id).first()
    if row is None:
        return Preferences()
    quiet = None
    if row.quiet_from is not None and row.quiet_until is not None:
        quiet = (row.quiet_from, row.quiet_until)
    return Preferences(
        off=frozenset(cell for cell in product(Kind.values, Channel.values) if cell_of(*cell) in row.off),
        topics={topic: tuple(channels) for topic, channels in row.topics.items()},
        quiet_hours=quiet,
        digest=Digest(row.digest),
        digest_at=row.digest_at,
        caps=row.caps,
        escalate_after=row.escalate_after,
    )


@transaction.atomic
def save_preferences(*, viewer_id: int, preferences: Preferences) -> None:
    """Replace what a viewer chose; it holds for deliveries made from now on, and for those put off.

    Raises `InvalidPreferences`.
    """
    _check(preferences)
    quiet_from, quiet_until = preferences.quiet_hours or (None, None)
    fields = {
        "off": sorted(cell_of(*cell) for cell in preferences.off),
        "topics": {topic: _in_order(channels) for topic, channels in preferences.topics.items()},
        "quiet_from": quiet_from,
        "quiet_until": quiet_until,
        "digest": preferences.digest,
        "digest_at": preferences.digest_at,
        "caps": dict(preferences.caps),
        "escalate_after": preferences.escalate_after,
    }
    Preference.objects.update_or_create(viewer_id=viewer_id, defaults=fields)


def _in_order(channels: tuple[str, ...]) -> list[str]:
    return [channel for channel in Channel.values if channel in channels]


def _check(preferences: Preferences) -> None:
    cells = set(product(Kind.values, Channel.values))
    if not preferences.off <= cells:
        raise InvalidPreferences("kinds: there is no such kind, or no such channel.")
    if preferences.quiet_hours and preferences.quiet_hours[0] == preferences.quiet_hours[1]:
        raise InvalidPreferences("quiet_hours: they must end at another time than they begin.")
    if not set(preferences.caps) <= set(Channel.values):
        raise InvalidPreferences("caps: there is no such channel.")
    if any(not 0 < cap <= MOST_A_DAY for cap in preferences.caps.values()):
        raise InvalidPreferences(f"caps: from 1 to {MOST_A_DAY} a day.")
    if preferences.escalate_after is not None and not 0 < preferences.escalate_after <= MOST_MINUTES:
        raise InvalidPreferences(f"escalate_after: from 1 to {MOST_MINUTES} minutes.")
    _check_topics(preferences.topics)


def _check_topics(topics: Mapping[str, tuple[str, ...]]) -> None:
    if len(topics) > MOST_TOPICS:
        raise InvalidPreferences(f"topics: at most {MOST_TOPICS} can have channels of their own.")
    if any(not set(channels) <= set(Channel.values) for channels in topics.values()):
        raise InvalidPreferences("topics: there is no such channel.")
    known = {*STANDING_TOPICS, *Topic.objects.filter(name__in=topics).values_list("name", flat=True)}
    unknown = sorted(set(topics) - known)
    if unknown:
        raise InvalidPreferences(f"topics: there is no topic {unknown[0][:80]!r}.")
