"""How far notifications came, read from PostgreSQL alone. Every function needs a fixed number of queries."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Min, Q, Subquery, Value
from django.db.models.functions import Coalesce

from broker.models import DeadLetter
from notifications import sql
from notifications.models import Notification, Part
from notifications.outbound.models import Channel

from .models import Reach, Stage

MOST_RELEASES = 25


@dataclass(slots=True, kw_only=True)
class ChannelOutcome:
    """Deliveries on one channel by what became of them; `failed` counts attempts, those that were made up for too."""

    waiting: int = 0
    retrying: int = 0
    sent: int = 0
    dead: int = 0
    expired: int = 0
    cancelled: int = 0
    suppressed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that did not get through: on which channel or at which step, why, and how often."""

    where: str
    reason: str
    count: int
    is_over: bool  # given up, until an operator decides otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """How far one subject's notification came. Before it is posted, nothing but what failed on the way is known."""

    subject: str
    notification_id: int | None = None
    title: str = ""
    published_at: datetime | None = None
    posted_at: datetime | None = None
    topics: int = 0
    reach: Mapping[Stage, int] = field(default_factory=lambda: dict.fromkeys(Stage, 0))
    channels: Mapping[str, ChannelOutcome] = field(default_factory=dict)
    failures: Collection[Failure] = ()


def insight_of(*, subject: str) -> Insight:
    """How far the notification about `subject`, or in which it has a part, came. Four queries."""
    shared = Part.objects.filter(subject=subject).values("card")
    posted = Notification.objects.filter(subject=Coalesce(Subquery(shared), Value(subject))).annotate(
        posted_at=Min("postings__posted_at"), topics=Count("postings__topic", distinct=True)
    )
    notification = posted.first()
    if notification is None:
        return Insight(subject=subject, failures=_held_up([subject]))
    channels, undelivered = _deliveries(notification.pk)
    return Insight(
        subject=subject,
        notification_id=notification.pk,
        title=notification.title,
        published_at=notification.published_at,
        posted_at=notification.posted_at,
        topics=notification.topics,
        reach=_reach([notification.pk])[notification.pk],
        channels=channels,
        failures=[*_held_up([subject, f"notification:{notification.pk}"]), *undelivered],
    )


def insights_in(*, topic: str, limit: int = MOST_RELEASES) -> list[Insight]:
    """The newest notifications in a topic, and how many viewers they reached. Two queries."""
    newest = Notification.objects.filter(pk__in=Notification.objects.filter(postings__topic__name=topic).values("pk"))
    notifications = list(newest.order_by("-pk")[:limit])
    reach = _reach([notification.pk for notification in notifications])
    return [
        Insight(
            subject=notification.subject,
            notification_id=notification.pk,
            title=notification.title,
            published_at=notification.published_at,
            reach=reach[notification.pk],
        )
        for notification in notifications
    ]


def _reach(ids: Collection[int]) -> dict[int, dict[Stage, int]]:
    """Viewers by stage. Estimates of nearly equal numbers may cross by their errors: the later stage is believed."""
    found: dict[int, dict[Stage, int]] = {pk: dict.fromkeys(Stage, 0) for pk in ids}
    rows = Reach.objects.filter(notification_id__in=ids).values_list("notification_id", "stage", "viewers")
    for pk, stage, viewers in rows:
        found[pk][Stage(stage)] = viewers
    for stages in found.values():
        most = 0
        for stage in reversed(Stage):
            most = stages[stage] = max(most, stages[stage])
    return found


def _deliveries(notification_id: int) -> tuple[dict[str, ChannelOutcome], list[Failure]]:
    with connection.cursor() as cursor:
        cursor.execute(sql.load("channel_outcomes"), {"notification": notification_id})
        rows = cursor.fetchall()
    outcomes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    failures = []
    for channel, state, reason, deliveries, failed in rows:
        outcomes[channel]["failed"] += failed
        outcomes[channel][state] += deliveries
        if reason and state in {"dead", "retrying"}:
            failures.append(Failure(Channel(channel).label, reason, deliveries, state == "dead"))
    return {channel: ChannelOutcome(**outcomes[channel]) for channel in Channel if channel in outcomes}, failures


def _held_up(keys: Collection[str]) -> list[Failure]:
    """Messages with these keys that could not be routed or handled and wait for an operator."""
    at_a_step = Q(origin__startswith="exchange:") | Q(origin__startswith="group:") | Q(origin__startswith="queue:")
    states = DeadLetter.State
    waiting = DeadLetter.objects.filter(at_a_step, key__in=keys, state__in=[states.WAITING, states.PARKED])
    rows: Any = waiting.values_list("origin", "reason").annotate(count=Count("pk")).order_by("origin", "reason")
    return [
        Failure(origin, DeadLetter.Reason(reason).label.capitalize(), count, True) for origin, reason, count in rows
    ]
