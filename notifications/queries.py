"""What a viewer sees: inbox, counts, topics, reasons. All of it follows one rule, in `sql/_visible.sql`."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, Q, When
from django.db.models.functions import Now

from . import sql
from .models import KIDS_MAX_MATURITY, STANDING_TOPICS, Kind, Subscription, Topic
from .prepared import prepared_cursor

UNREAD_LIMIT = 100  # counted up to here: "99+"
MAX_ID = 2**63 - 1
MAX_PAGE = 100
FIRST_SIZE = 64  # about how many the inbox looks at first, of each kind: says how long it takes, not what is found
RULE_VALUES: dict[str, Any] = {"kids_max_maturity": KIDS_MAX_MATURITY, "kinds": Kind.values}  # what the rule asks for
GROUPS = {"category": "Categories", "studio": "Studios", "title": "Titles"}


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """One notification as a viewer sees it: its newest state, and at which revision and positions it reached them."""

    id: int
    revision: int
    kind: str
    title: str
    body: str
    url: str
    image: str
    studio: str
    category: str
    recalled: bool
    published_at: datetime
    expires_at: datetime | None
    positions: dict[str, int]
    read: bool


@dataclass(frozen=True, slots=True)
class InboxPage:
    """A page of the inbox; `positions` and `epoch` were read before the list, to resume from."""

    entries: list[InboxEntry]
    next_before: int | None
    positions: dict[str, int]
    epoch: str
    unread: int


@dataclass(frozen=True, slots=True)
class ViewerState:
    """What a page or a live connection of one viewer starts from."""

    epoch: str
    entitlement_version: int
    is_kids: bool
    languages: frozenset[str]  # none: any
    region: str
    read_version: int
    periods: tuple[tuple[float, float], ...]  # of membership, [start, end) in seconds since 1970
    positions: dict[str, int]  # of every topic that was ever followed, and of the given ones
    tails: dict[str, int]  # of those in `topics` that have forgotten something: up to where
    topics: dict[str, frozenset[str]]  # followed now or given, with the kinds wanted
    muted: dict[str, float]  # followed topics until when, in seconds since 1970


@dataclass(frozen=True, slots=True)
class TopicChoice:
    """A topic that a viewer can follow, and whether they do."""

    name: str
    label: str
    subscribed: bool
    kinds: tuple[str, ...]
    muted_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TopicGroup:
    """Topics of one sort."""

    prefix: str
    label: str
    topics: list[TopicChoice]


@dataclass(frozen=True, slots=True)
class Reason:
    """One way by which a notification reached a viewer."""

    topic: str
    label: str
    seq: int
    revision: int
    posted_at: datetime
    since: datetime  # when they subscribed; for a given topic, when they joined
    is_given: bool


def inbox(*, viewer_id: int, before: int | None = None, limit: int = 30) -> InboxPage:
    """The viewer's notifications below the id `before`, newest first, `limit` (at most 100) a page. Three queries."""
    state = viewer_state(viewer_id=viewer_id)
    limit = max(1, min(limit, MAX_PAGE))
    cursor_id = MAX_ID if before is None else max(0, min(before, MAX_ID))
    entries = _entries("inbox", viewer_id, before=cursor_id, limit=limit + 1, first_size=FIRST_SIZE)
    return InboxPage(
        entries=entries[:limit],
        next_before=entries[limit - 1].id if len(entries) > limit else None,
        positions=state.positions,
        epoch=state.epoch,
        unread=unread_count(viewer_id=viewer_id),
    )


def unread_count(*, viewer_id: int) -> int:
    """How many notifications the viewer has not read, counted up to `UNREAD_LIMIT`."""
    row: dict[str, int] = _rows("unread", viewer_id, limit=UNREAD_LIMIT)[0]
    return row["count"]


def positions(viewer_id: int) -> dict[str, int]:
    """{topic: seq} of every topic that the viewer follows or is given (its head) or has left (where they left it)."""
    return viewer_state(viewer_id=viewer_id).positions


def why(viewer_id: int, notification_id: int) -> list[Reason]:
    """By which topics, and since when theirs, a notification reached the viewer; empty when it did not."""
    if not 0 < notification_id <= MAX_ID:
        return []
    return [Reason(**row) for row in _rows("why", viewer_id, notification_id=notification_id)]


def visible_among(*, viewer_id: int, ids: Iterable[int]) -> list[int]:
    """Those of these notifications that the viewer sees. One query."""
    rows = _rows("visible_among", viewer_id, ids=[one for one in ids if 0 < one <= MAX_ID])
    return [row["id"] for row in rows]


def over_among(*, viewer_id: int, ids: Iterable[int]) -> list[int]:
    """Those of these notifications of which a popup need not tell any more: read, dismissed, recalled or expired."""
    rows = _rows("over_among", viewer_id, ids=[one for one in ids if 0 < one <= MAX_ID])
    return [row["id"] for row in rows]


def by_topic(reasons: Iterable[Reason]) -> list[Reason]:
    """One a topic: the first posting that was seen there."""
    first: dict[str, Reason] = {}
    for reason in reasons:
        first.setdefault(reason.topic, reason)
    return list(first.values())


def topics_for(viewer_id: int) -> list[TopicGroup]:
    """Categories and studios, and the titles that the viewer follows, each with what they chose."""
    followed = subscriptions_of(viewer_id=viewer_id)
    # One that nothing was posted to may be a name that somebody made up.
    is_used = Q(head__gt=0) & (Q(name__startswith="category:") | Q(name__startswith="studio:"))
    shown = Topic.objects.filter(is_used | Q(name__in=followed))
    labels = STANDING_TOPICS | dict(shown.order_by("label").values_list("name", "label"))
    groups = [TopicGroup(prefix, label, []) for prefix, label in GROUPS.items()]
    for name, label in labels.items():
        for group in groups:
            if name.startswith(f"{group.prefix}:"):
                group.topics.append(choice_of(name, label, followed))
    return groups


@dataclass(frozen=True, slots=True)
class Followed:
    """What a viewer wants of a topic that they follow; `muted_until` is None, or still to come."""

    kinds: tuple[str, ...]
    muted_until: datetime | None


def subscriptions_of(*, viewer_id: int) -> dict[str, Followed]:
    """What the viewer follows now, by the topic's name."""
    muted_until = Case(When(muted_until__gt=Now(), then="muted_until"))
    rows = Subscription.objects.filter(viewer_id=viewer_id, until_seq__isnull=True).order_by("topic__name")
    columns = rows.annotate(muted=muted_until).values_list("topic__name", "kinds", "muted")
    return {name: Followed(tuple(kinds), muted) for name, kinds, muted in columns}


def choice_of(name: str, label: str, followed: Mapping[str, Followed]) -> TopicChoice:
    """A topic with what the viewer chose."""
    chosen = followed.get(name)
    if chosen is None:
        return TopicChoice(name, label, subscribed=False, kinds=())
    return TopicChoice(name, label, subscribed=True, kinds=chosen.kinds, muted_until=chosen.muted_until)


def viewer_state(*, viewer_id: int) -> ViewerState:
    """Everything that a page or a live connection starts from, of one moment. One query.

    Raises `LookupError` when there is no such user.
    """
    row = _state_row(viewer_id)
    if row["epoch"] is None:
        ensure_epoch()
        row = _state_row(viewer_id)
    return state_from_row(row)


def ensure_epoch() -> None:
    """Give a new database its epoch."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM notifications_epoch")
        if not cursor.rowcount:
            cursor.execute("INSERT INTO notifications_epoch VALUES (1, gen_random_uuid()) ON CONFLICT DO NOTHING")


def state_from_row(row: Mapping[str, Any]) -> ViewerState:
    """A row of `viewer_state.sql`."""
    return ViewerState(
        epoch=format_epoch(row["epoch"], row["entitlement_version"]),
        entitlement_version=row["entitlement_version"],
        is_kids=row["is_kids"],
        languages=frozenset(row["languages"]),
        region=row["region"],
        read_version=row["read_version"],
        periods=tuple((start, float("inf") if end is None else end) for start, end in json.loads(row["periods"])),
        positions=json.loads(row["positions"]),
        tails=json.loads(row["tails"]),
        topics={name: _kinds(kinds) for name, kinds in json.loads(row["topics"]).items()},
        muted=json.loads(row["muted"]),
    )


@cache
def _kinds(text: str | None) -> frozenset[str]:
    """What `viewer_state.sql` tells of the kinds that are wanted of a topic: all of them, where it tells nothing."""
    return frozenset(text.split() if text else RULE_VALUES["kinds"])


class ItemState(StrEnum):
    """What a viewer said of a single notification."""

    READ = "read"
    UNREAD = "unread"
    DISMISSED = "dismissed"


_ITEM_STATES = tuple(ItemState)  # going through the class itself costs more than all the rest
ItemRow = tuple[int, int, bool, bool]  # notification, revision, is it read, is it dismissed
States = dict[ItemState, dict[int, int]]  # notifications by their state, each with the revision of which it was said


def states_of(items: Iterable[ItemRow]) -> States:
    """Read items by their states."""
    states: States = {state: {} for state in _ITEM_STATES}
    for notification_id, revision, is_read, is_dismissed in items:
        said = ItemState.READ if is_read else ItemState.UNREAD
        states[ItemState.DISMISSED if is_dismissed else said][notification_id] = revision
    return states


@dataclass(frozen=True, slots=True)
class ReadNews:
    """What a viewer has read: what changed just now, or, for a tab that fell behind, everything."""

    version: int
    states: States
    positions: dict[str, int]
    unread: int | None  # None where nobody counted

    @property
    def ids(self) -> list[int]:
        """The single notifications among it that are read."""
        return sorted(self.states[ItemState.READ])

    @property
    def is_empty(self) -> bool:
        """Whether it tells nothing but the count."""
        return not self.positions and not any(self.states.values())


def read_news(*, viewer_id: int) -> ReadNews:
    """All marks, and the newest items, of the viewer."""
    return news_from_row(_rows("read_state", viewer_id)[0], unread=unread_count(viewer_id=viewer_id))


def news_from_row(row: Mapping[str, Any], *, unread: int | None) -> ReadNews:
    """A row of `read_state.sql`."""
    return ReadNews(row["version"], states_of(json.loads(row["items"])), json.loads(row["positions"]), unread)


def format_epoch(epoch: UUID, entitlement_version: int) -> str:
    """What a client hands back to resume: another database or another entitlement makes another string."""
    return f"{epoch}.{entitlement_version}"


def _state_row(viewer_id: int) -> dict[str, Any]:
    rows = _rows("viewer_state", viewer_id)
    if not rows:
        raise LookupError(viewer_id)
    return rows[0]


def _entries(statement: str, viewer_id: int, **parameters: object) -> list[InboxEntry]:
    rows = _rows(statement, viewer_id, **parameters)
    return [InboxEntry(**row | {"positions": json.loads(row["positions"])}) for row in rows]


def _rows(statement: str, viewer_id: int, **parameters: object) -> list[dict[str, Any]]:
    """Run `sql/<statement>.sql` for one viewer."""
    bound: dict[str, Any] = {"viewer_id": viewer_id, **RULE_VALUES, **parameters}
    with prepared_cursor() as cursor:
        cursor.execute(sql.load(statement), bound)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
