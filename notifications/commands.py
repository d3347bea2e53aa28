"""Everything that changes who follows what, and what stands where."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Now

from accounts.clock import database_now
from accounts.commands import bump_entitlements
from broker.messages import Message
from broker.outbox import publish

from . import retention
from .errors import InvalidKinds, InvalidMute, InvalidTopic, NotFollowed, TooManyTopics
from .events import notification_posted
from .given_topics import check_topics, viewer_of
from .models import STANDING_TOPICS, Kind, Notification, Posting, Subscription, Topic
from .windows import Windows, next_turn, open_regions

MAX_TOPIC_LENGTH = 160
MOST_FOLLOWED = 500  # topics of one viewer: what a client holds of them fits into a frame
CARD_TEXT = ("kind", "title", "body", "url", "image", "studio")
AUDIENCE = ("maturity", "languages", "regions", "expires_at")  # what says for whom a notification is
_CHOOSABLE = re.compile(r"(category|studio|title):[a-z0-9]+(?:[-_][a-z0-9]+)*")


# --- Topics and subscriptions --------------------------------------------------------------------------------------
@transaction.atomic
def ensure_topics(*, labels: Mapping[str, str]) -> None:
    """Make the topics of {name: label} that are missing, and give the others their present labels."""
    _make_missing_topics(labels)
    _relabel(Topic.objects.select_for_update(no_key=True).filter(name__in=labels).order_by("name"), labels)


def _make_missing_topics(labels: Mapping[str, str]) -> None:
    """Insert in the order of the names; called before any head is locked, so that two of these never wait in a ring."""
    rows = [
        Topic(name=name, label=label[:MAX_TOPIC_LENGTH], viewer_id=viewer_of(name))
        for name, label in sorted(labels.items())
    ]
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
    `InvalidTopic`, `InvalidKinds` and `TooManyTopics`.
    """
    wanted = _checked_kinds(kinds)
    row = _locked_topic(topic)
    followed = Subscription.objects.filter(viewer_id=viewer_id, until_seq__isnull=True)
    present = followed.filter(topic=row).first()
    if present is None:
        if followed.count() >= MOST_FOLLOWED:
            raise TooManyTopics
        present = Subscription(viewer_id=viewer_id, topic=row)
    elif present.kinds == wanted:
        return present
    return _begin(present, row.head, kinds=wanted)


@transaction.atomic
def mute(*, viewer_id: int, topic: str, until: datetime | None) -> Subscription:
    """Let nothing that is posted to `topic` before `until` reach the viewer; None ends that now.

    It stays hidden afterwards, too. Raises `NotFollowed` and `InvalidMute`.
    """
    if until is not None and (until.utcoffset() is None or until <= database_now()):
        raise InvalidMute
    row = Topic.objects.select_for_update(no_key=True).filter(name=topic).first()
    present = Subscription.objects.filter(viewer_id=viewer_id, topic=row, until_seq__isnull=True).first()
    if row is None or present is None:
        raise NotFollowed
    return present if present.muted_until == until else _begin(present, row.head, muted_until=until)


def _begin(present: Subscription, head: int, **changes: Any) -> Subscription:
    """End the interval, if it is stored, and begin another after `head` that differs in `changes`."""
    state = {"kinds": present.kinds, "muted_until": present.muted_until} | changes
    if present.pk is not None:
        _close(present, head)
    bump_entitlements(user_id=present.viewer_id)
    return Subscription.objects.create(
        viewer_id=present.viewer_id, topic_id=present.topic_id, from_seq=head + 1, **state
    )


@transaction.atomic
def unsubscribe(*, viewer_id: int, topic: str) -> bool:
    """Stop following `topic`; what was posted so far stays. False when it was not followed."""
    row = Topic.objects.select_for_update(no_key=True).filter(name=topic).first()
    present = Subscription.objects.filter(viewer_id=viewer_id, topic=row, until_seq__isnull=True).first()
    if row is None or present is None:
        return False
    _close(present, row.head)
    bump_entitlements(user_id=viewer_id)
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
    languages: Sequence[str] | None = None,
    windows: Windows | None = None,
    expires_at: datetime | None = None,
    recalled: bool = False,
    cause: Message | None = None,
) -> Notification | None:
    """Post what `subject` now says to `topics` ({name: label}): its first notification, or a new revision of it.

    None, and nothing changed, when `subject_version` is not newer than what is held: so twice is once, and a late
    replay cannot undo what came after; nor when nothing is held any more of what was published so long ago. Topics of
    earlier revisions hear of the new one too. What is recalled before it was ever posted is remembered and posted
    nowhere. `languages` and `windows`, as `windows.py` has them, say for whom it is; none: for all. `cause` is the
    message that led here.
    """
    check_topics(topics)
    _make_missing_topics(topics)
    earlier = Topic.objects.filter(postings__notification__subject=subject).values_list("name", flat=True)
    heads = list(
        Topic.objects.select_for_update(no_key=True).filter(name__in={*topics, *earlier}).order_by("name")
    )  # the one order in which anybody locks several topics
    _relabel(heads, topics)
    now = database_now()
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
        "languages": languages or None,
        "windows": windows or None,
        "regions": open_regions(windows, now),
        "turns_at": next_turn(windows, now),
        "recalled": recalled,
        "published_at": published_at,
        "expires_at": expires_at,
    }
    notification, regions = _written(subject, card)
    if notification is not None and not (recalled and notification.revision == 1):
        _add_postings(notification, heads, posted_at=now, regions=regions, cause=cause)
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
    kept = [*CARD_TEXT, "category", "maturity", "languages", "windows", "published_at", "expires_at"]
    state = {name: getattr(held, name) for name in kept} | {"topics": {}} | changes
    return post_notification(
        subject=subject,
        subject_version=subject_version,
        recalled=held.recalled if recalled is None else recalled,
        cause=cause,
        **state,
    )


def _written(subject: str, card: dict[str, Any]) -> tuple[Notification | None, list[str] | None]:
    """The notification in its new state, None when the state held is as new; and the regions for which it is news."""
    held = Notification.objects.select_for_update().filter(subject=subject).first()
    if held is None:
        if card["published_at"] < retention.forgets_before():
            return None, None  # it may have been told of and forgotten; a late replay is no news
        # Ids are drawn under the topics' locks, so that in a topic a higher id means a later first posting.
        return Notification.objects.create(subject=subject, **card), card["regions"]
    if card["subject_version"] <= held.subject_version:
        return None, None
    if card["kind"] != held.kind:
        held.postings.update(kind=card["kind"])
    first = held.recalled and not held.postings.exists()
    revision = 1 if first else held.revision + 1
    if any(getattr(held, name) != card[name] for name in AUDIENCE):
        card |= {"audience_revision": revision}
    regions = _concerned(held.regions, card["regions"])
    Notification.objects.filter(pk=held.pk).update(**card, revision=revision)
    held.refresh_from_db()
    return held, regions


def _concerned(before: list[str] | None, after: list[str] | None) -> list[str] | None:
    """Where a revision is news: where it is out, and where it was, as cards have to go there. None: everywhere."""
    return None if before is None or after is None else sorted({*before, *after})


@transaction.atomic
def turn_windows(*, limit: int = 100) -> int:
    """Post anew what has just come to be out in a region, or is out there no longer; how many turned.

    Safe to run twice at once. What is news for some regions alone leaves the cards of all others as they are.
    """
    due = Notification.objects.filter(turns_at__lte=Now()).order_by("turns_at")
    turning = list(due.values_list("pk", flat=True)[:limit])
    for pk in turning:
        _turn(pk)
    return len(turning)


@transaction.atomic
def _turn(notification_id: int) -> None:
    heads = list(
        Topic.objects.select_for_update(no_key=True)
        .filter(pk__in=Posting.objects.filter(notification=notification_id).values("topic"))
        .order_by("name")
    )
    held = Notification.objects.select_for_update().get(pk=notification_id)
    now = database_now()
    before, after = set(held.regions or ()), set(open_regions(held.windows, now) or ())
    if held.recalled:
        after &= before  # it appears nowhere any more
    held.turns_at = next_turn(held.windows, now)
    if after != before:
        held.revision = held.audience_revision = held.revision + 1
        held.regions = sorted(after)
        _add_postings(held, heads, posted_at=now, regions=sorted(after ^ before))
    held.save(update_fields=["turns_at", "revision", "audience_revision", "regions"])


def _add_postings(
    notification: Notification,
    heads: list[Topic],
    *,
    posted_at: datetime,
    regions: list[str] | None,
    cause: Message | None = None,
) -> None:
    """Post the notification's revision, news for `regions`, to topics whose rows are locked, and tell of it."""
    postings = [
        Posting(
            topic=topic,
            seq=topic.head + 1,
            notification=notification,
            revision=notification.revision,
            kind=notification.kind,
            posted_at=posted_at,
            regions=regions,
        )
        for topic in heads
    ]
    Posting.objects.bulk_create(postings)
    Topic.objects.filter(pk__in=[topic.pk for topic in heads]).update(
        head=F("head") + 1, oldest_at=Coalesce("oldest_at", Value(posted_at))
    )
    message = notification_posted(notification, {posting.topic.name: posting.seq for posting in postings})
    publish(message.caused_by(cause) if cause else message)
