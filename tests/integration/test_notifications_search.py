"""The inbox and the count are searched for in rounds, by indexes: they find what asking for each one finds."""

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.clock import database_now
from accounts.commands import update_profile
from accounts.models import Membership, User
from notifications import queries
from notifications.commands import mute, revise_notification, subscribe, unsubscribe
from notifications.errors import NotFollowed
from notifications.given_topics import PLATFORM, own_topic
from notifications.models import Notification, ReadItem, ReadMark
from notifications.queries import InboxEntry, inbox, unread_count, why
from notifications.read_commands import dismiss, mark_read, mark_unread, restore

from .notifications_support import MOVIES, a_viewer, post

pytestmark = pytest.mark.django_db
TOPICS = [MOVIES, "category:sports", "studio:aurora"]
FUTURE = datetime(2090, 1, 1, tzinfo=UTC)
Seen = tuple[int, int, dict[str, int], bool]  # notification, revision, positions, read


@pytest.mark.parametrize("first_size", [1, 3, queries.FIRST_SIZE])
def test_pages_and_count_are_what_asking_for_each_notification_finds(
    monkeypatch: pytest.MonkeyPatch, first_size: int
) -> None:
    """Random histories; each search in a single page, and in pages of two."""
    monkeypatch.setattr(queries, "FIRST_SIZE", first_size)
    for seed in range(2):
        dice = random.Random(seed)
        viewers = [a_viewer(is_kids=dice.random() < 0.3) for _ in range(3)]
        posted: list[Notification] = []
        for step in range(60):
            post_or_revise(dice, posted, f"{seed}-{step}", viewers)
            live_a_little(dice, dice.choice(viewers))
        for viewer in viewers:
            expected = asked_one_by_one(viewer)
            assert [seen(entry) for entry in inbox(viewer_id=viewer.pk, limit=100).entries] == expected
            assert [seen(entry) for entry in by_pages(viewer, limit=2)] == expected
            assert unread_count(viewer_id=viewer.pk) == sum(not is_read for *_, is_read in expected)


def post_or_revise(dice: random.Random, posted: list[Notification], name: str, viewers: list[User]) -> None:
    """Something new, for some; or something else that is said of what was posted long ago."""
    audience: dict[str, Any] = {
        "maturity": dice.choice([0, 0, 12]),
        "languages": dice.choice([None, None, ["de"]]),
        "expires_at": dice.choice([None, None, None, FUTURE, database_now() - timedelta(seconds=1)]),
    }
    if posted and dice.random() < 0.3:
        chosen = dice.choice(posted)
        version = Notification.objects.get(pk=chosen.pk).subject_version + 1
        audience["kind"] = dice.choice([chosen.kind, "episode"])
        revise_notification(subject=chosen.subject, subject_version=version, title=name, **audience)
    elif dice.random() < 0.15:
        topic = dice.choice([PLATFORM, own_topic(dice.choice(viewers).pk)])
        posted.append(post(name, topic, kind="announcement", **audience))
    else:
        topics = dice.sample(TOPICS, dice.randint(1, 3))
        posted.append(post(name, *topics, kind=dice.choice(["premiere", "episode", "live_event"]), **audience))


def live_a_little(dice: random.Random, viewer: User) -> None:
    """One of the things that viewers do."""
    topic = dice.choice(TOPICS)
    match dice.randrange(10):
        case 0 | 1 | 2:
            subscribe(viewer_id=viewer.pk, topic=topic, kinds=dice.choice([None, ["episode"], ["premiere", "episode"]]))
        case 3:
            unsubscribe(viewer_id=viewer.pk, topic=topic)
        case 4:
            pay_or_stop_paying(viewer)
        case 5:
            update_profile(user=viewer, is_kids=dice.random() < 0.3, languages=dice.choice([[], ["de"], ["en"]]))
        case 6:
            with suppress(NotFollowed):
                mute(viewer_id=viewer.pk, topic=topic, until=dice.choice([None, FUTURE]))
        case 7:
            say = dice.choice([mark_read, mark_unread, dismiss])
            say(viewer_id=viewer.pk, ids=[entry.id for entry in by_pages(viewer, limit=100) if dice.random() < 0.3])
        case 8:
            dismissed = ReadItem.objects.filter(viewer=viewer, is_dismissed=True)
            restore(viewer_id=viewer.pk, ids=list(dismissed.values_list("notification", flat=True)[:2]))
        case _:
            mark_read(viewer_id=viewer.pk, positions={topic: dice.randint(1, 30)})


def pay_or_stop_paying(viewer: User) -> None:
    """A membership ends now, or begins now."""
    if not Membership.objects.filter(user=viewer, ends_at__isnull=True).update(ends_at=database_now()):
        Membership.objects.create(user=viewer, starts_at=database_now())


def asked_one_by_one(viewer: User) -> list[Seen]:
    """What the viewer sees, found by asking for each notification that there is, newest first."""
    marks = dict(ReadMark.objects.filter(viewer=viewer).values_list("topic__name", "seq"))
    items = {item.notification_id: item for item in ReadItem.objects.filter(viewer=viewer)}
    found: list[Seen] = []
    for pk in Notification.objects.order_by("-pk").values_list("pk", flat=True):
        if reasons := why(viewer.pk, pk):
            newest = max(reason.revision for reason in reasons)
            positions = {reason.topic: reason.seq for reason in reasons if reason.revision == newest}
            is_marked = any(seq <= marks.get(topic, 0) for topic, seq in positions.items())
            said = items[pk] if pk in items and items[pk].revision >= newest else None
            if said is None or not said.is_dismissed:
                found.append((pk, newest, positions, is_marked if said is None else said.is_read))
    return found


def by_pages(viewer: User, *, limit: int) -> list[InboxEntry]:
    """All pages, one after the other."""
    page = inbox(viewer_id=viewer.pk, limit=limit)
    entries = page.entries
    while page.next_before is not None:
        page = inbox(viewer_id=viewer.pk, limit=limit, before=page.next_before)
        entries += page.entries
    return entries


def seen(entry: InboxEntry) -> Seen:
    """What of an entry is to be found."""
    return entry.id, entry.revision, entry.positions, entry.read
