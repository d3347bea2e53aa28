"""Everything that changes who follows what, what stands where, and what has been read."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from accounts.clock import database_now
from accounts.commands import bump_entitlements
from broker.messages import Message
from broker.outbox import publish

from . import sql
from .errors import InvalidKinds, InvalidPositions, InvalidTopic
from .events import notification_posted
from .live import push
from .models import KIDS_MAX_MATURITY, STANDING_TOPICS, Kind, Notification, Posting, ReadState, Subscription, Topic
from .queries import unread_count

MAX_SEQ = 2**63 - 1
MAX_TOPIC_LENGTH = 160
_CHOOSABLE = re.compile(r"(category|studio|title):[a-z0-9]+(?:[-_][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Read:
    """What a `mark_read` changed: items, marks and the count that is left. Unchanged: `version` is None."""

    version: int | None
    ids: list[int]
    positions: dict[str, int]
    unread: int


# --- Topics and subscriptions --------------------------------------------------------------------------------------
@transaction.atomic
def ensure_topics(*, labels: Mapping[str, str]) -> None:
    """Make the topics of {name: label} that are missing, and give the others their present labels."""
    _make_missing_topics(labels)
    _relabel(Topic.objects.select_for_update(no_key=True).filter(name__in=labels).order_by("name"), labels)


def _make_missing_topics(labels: Mapping[str, str]) -> None:
    """Insert in the order of the names; called before any head is locked, so that two of these never wait in a ring."""
    rows = [Topic(name=name, label=label[:MAX_TOPIC_LENGTH]) for name, label in sorted(labels.items())]
    Topic.objects.bulk_create(rows, ignore_conflicts=True)


def _relabel(topics: Iterable[Topic], labels: Mapping[str, str]) -> None:
    for topic in topics:
        label = labels.get(topic.name, topic.label)[:MAX_TOPIC_LENGTH]
        if topic.label != label:
            Topic.objects.filter(pk=topic.pk).update(label=label)


@transaction.atomic
def subscribe(*, viewer_id: int, topic: str, kinds: Iterable[str] | None = None) -> Subscription:
    """Follow `topic` from its next posting on, for `kinds` (all by default).

    Again with the same kinds changes nothing; with others, the new kinds hold from the next posting on. Raises
    `InvalidTopic` and `InvalidKinds`.
    """
    wanted = _checked_kinds(kinds)
    row = _locked_topic(topic)
    present = Subscription.objects.filter(viewer_id=viewer_id, topic=row, until_seq__isnull=True).first()
    if present is not None:
        if present.kinds == wanted:
            return present
        _close(present, row.head)
    bump_entitlements(user_id=viewer_id)
    made = Subscription.objects.create(viewer_id=viewer_id, topic=row, kinds=wanted, from_seq=row.head + 1)
    push.on_commit_hint_entitlement(viewer_id)
    return made


@transaction.atomic
def unsubscribe(*, viewer_id: int, topic: str) -> bool:
    """Stop following `topic`; what was posted so far stays. False when it was not followed."""
    row = Topic.objects.select_for_update(no_key=True).filter(name=topic).first()
    present = Subscription.objects.filter(viewer_id=viewer_id, topic=row, until_seq__isnull=True).first()
    if row is None or present is None:
        return False
    _close(present, row.head)
    bump_entitlements(user_id=viewer_id)
    push.on_commit_hint_entitlement(viewer_id)
    return True


def _checked_kinds(kinds: Iterable[str] | None) -> list[str]:
    """`kinds` in the order of `Kind`, each once."""
    wanted = set(Kind.values if kinds is None else kinds)
    if not wanted or not wanted <= set(Kind.values):
        raise InvalidKinds
    return [kind for kind in Kind.values if kind in wanted]


def _locked_topic(name: str) -> Topic:
    """The topic's row, locked against postings: the head cannot move before the interval is committed."""
    locked = Topic.objects.select_for_update(no_key=True)
    found = locked.filter(name=name).first()
    if found is None:
        if len(name) > MAX_TOPIC_LENGTH or not _CHOOSABLE.fullmatch(name):
            raise InvalidTopic(name)
        slug = name.partition(":")[2]
        ensure_topics(labels={name: STANDING_TOPICS.get(name) or slug.replace("-", " ").capitalize()})
        found = locked.get(name=name)
    return found


def _close(subscription: Subscription, head: int) -> None:
    """End the interval after `head`; one in which nothing was posted leaves no row."""
    if subscription.from_seq > head:
        subscription.delete()
    else:
        Subscription.objects.filter(pk=subscription.pk).update(until_seq=head + 1)


# --- Posting -------------------------------------------------------------------------------------------------------
@transaction.atomic
def post_notification(
    *,
    subject: str,
    subject_version: int,
    kind: str,
    topics: Mapping[str, str],
    title: str,
    body: str,
    url: str,
    published_at: datetime,
    image: str = "",
    studio: str = "",
    category: str = "",
    maturity: int = 0,
    expires_at: datetime | None = None,
    recalled: bool = False,
    cause: Message | None = None,
) -> Notification | None:
    """Post what `subject` now says to `topics` ({name: label}): its first notification, or a new revision of it.

    None, and nothing changed, when `subject_version` is not newer than what is held: so twice is once, and a late
    replay cannot undo what came after. Topics of earlier revisions hear of the new one too. What is recalled before
    it was ever posted is remembered and posted nowhere. `cause` is the message that led here.
    """
    _make_missing_topics(topics)
    earlier = Topic.objects.filter(postings__notification__subject=subject).values_list("name", flat=True)
    heads = list(
        Topic.objects.select_for_update(no_key=True).filter(name__in={*topics, *earlier}).order_by("name")
    )  # the one order in which anybody locks several topics
    _relabel(heads, topics)
    card: dict[str, Any] = {
        "subject_version": subject_version,
        "kind": kind,
        "title": title[:200],
        "body": body,
        "url": url,
        "image": image,
        "studio": studio,
        "category": category,
        "maturity": maturity,
        "recalled": recalled,
        "published_at": published_at,
        "expires_at": expires_at,
    }
    notification = _written(subject, card)
    if notification is None or (recalled and notification.revision == 1):
        return notification
    positions = _add_postings(notification, heads)
    message = notification_posted(notification, positions)
    publish(message.caused_by(cause) if cause else message)
    return notification


@transaction.atomic
def revise_notification(
    *,
    subject: str,
    subject_version: int,
    recalled: bool | None = None,
    cause: Message | None = None,
    **changes: Any,
) -> Notification | None:
    """Change some of what a notification says, leaving the rest: a new revision in all its topics.

    None when there is no such notification, or it has seen `subject_version` already. `changes` are arguments of
    `post_notification`.
    """
    held = Notification.objects.filter(subject=subject).first()
    if held is None:
        return None
    kept = ("kind", "title", "body", "url", "image", "studio", "category", "maturity", "published_at", "expires_at")
    state = {name: getattr(held, name) for name in kept} | {"topics": {}} | changes
    return post_notification(
        subject=subject,
        subject_version=subject_version,
        recalled=held.recalled if recalled is None else recalled,
        cause=cause,
        **state,
    )


def _written(subject: str, card: dict[str, Any]) -> Notification | None:
    """The notification in its new state; None when the state held is as new."""
    held = Notification.objects.select_for_update().filter(subject=subject).first()
    if held is None:
        # Ids are drawn under the topics' locks, so that in a topic a higher id means a later first posting.
        return Notification.objects.create(subject=subject, **card)
    if card["subject_version"] <= held.subject_version:
        return None
    first = held.recalled and not held.postings.exists()
    Notification.objects.filter(pk=held.pk).update(**card, revision=1 if first else F("revision") + 1)
    held.refresh_from_db()
    return held


def _add_postings(notification: Notification, heads: list[Topic]) -> dict[str, int]:
    """Post the notification's revision to topics whose rows are locked: {topic: seq}."""
    posted_at = database_now()
    postings = [
        Posting(
            topic=topic,
            seq=topic.head + 1,
            notification=notification,
            revision=notification.revision,
            posted_at=posted_at,
        )
        for topic in heads
    ]
    Posting.objects.bulk_create(postings)
    Topic.objects.filter(pk__in=[topic.pk for topic in heads]).update(head=F("head") + 1)
    return {posting.topic.name: posting.seq for posting in postings}


# --- Reading -------------------------------------------------------------------------------------------------------
@transaction.atomic
def mark_read(*, viewer_id: int, ids: Iterable[int] | None = None, positions: Mapping[str, int] | None = None) -> Read:
    """Mark notifications, or whole topics up to a position, as read.

    Marks only move forward and never above a topic's head; ids that this viewer does not see are passed over. Open
    tabs hear of what changed. Raises `InvalidPositions`.
    """
    _check_positions(positions or {})
    ReadState.objects.bulk_create([ReadState(viewer_id=viewer_id)], ignore_conflicts=True)
    state = ReadState.objects.select_for_update().get(viewer_id=viewer_id)
    parameters = {"viewer_id": viewer_id, "kids_max_maturity": KIDS_MAX_MATURITY}
    with connection.cursor() as cursor:
        cursor.execute(sql.load("mark_items"), parameters | {"ids": [i for i in ids or () if 0 < i <= MAX_SEQ]})
        changed = sorted(row[0] for row in cursor.fetchall())
        cursor.execute(sql.load("mark_positions"), parameters | {"positions": json.dumps(dict(positions or {}))})
        moved: dict[str, int] = dict(cursor.fetchall())
    unread = unread_count(viewer_id=viewer_id)
    if not changed and not moved:
        return Read(None, [], {}, unread)
    state.version += 1
    state.save(update_fields=["version"])
    read = Read(state.version, changed, moved, unread)
    push.on_commit_push_read(viewer_id, read.version, read.ids, read.positions, read.unread)
    return read


def _check_positions(positions: Mapping[str, int]) -> None:
    if any(isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq <= MAX_SEQ for seq in positions.values()):
        raise InvalidPositions
