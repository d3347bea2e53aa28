"""What is old is forgotten, with all that hangs on it, and nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.test import override_settings

from accounts.clock import database_now
from accounts.models import User
from notifications import retention
from notifications.commands import post_notification, revise_notification, subscribe, turn_windows
from notifications.insight.models import PastDeliveries, Reach
from notifications.models import Notification, Part, Posting, ReadItem, Topic
from notifications.queries import positions, unread_count
from notifications.read_commands import dismiss
from notifications.retention import forget_notifications, forget_old, forget_postings

from .notifications_support import LONG_AGO, MOVIES, a_viewer, post, titles

pytestmark = pytest.mark.django_db
FAR = datetime(2090, 1, 1, tzinfo=UTC)
SPORTS = "category:sports"


@pytest.fixture
def viewer() -> User:
    """Somebody who follows Movies and Sports."""
    viewer = a_viewer()
    for topic in (MOVIES, SPORTS):
        subscribe(viewer_id=viewer.pk, topic=topic)
    return viewer


def forget(*, before: datetime) -> None:
    """Forget all that is older, batch by batch."""
    for one in (forget_postings, forget_notifications):
        while one(before=before):
            pass


def tail_of(topic: str) -> tuple[int, int]:
    row = Topic.objects.get(name=topic)
    kept = Posting.objects.filter(topic=row, seq__gt=row.tail).order_by("seq")
    assert [posting.seq for posting in kept] == list(range(row.tail + 1, row.head + 1))
    assert row.oldest_at == (kept[0].posted_at if kept else None)
    return row.tail, row.head


def test_what_is_old_goes_with_all_that_hangs_on_it_and_the_rest_stays(viewer: User) -> None:
    old = post("Old", MOVIES, SPORTS, subject="release:old")
    Part.objects.create(subject="release:old", card="release:old", title="x", version=1, published_at=LONG_AGO, data={})
    Part.objects.create(subject="release:new", card="release:new", title="x", version=1, published_at=LONG_AGO, data={})
    Reach.objects.create(notification=old, stage="routed", viewers=1, sketch=b"")
    PastDeliveries.objects.create(notification_id=old.pk, channel="mail", state="sent", deliveries=1, failures=0)
    dismiss(viewer_id=viewer.pk, ids=[old.pk])
    moment = database_now()
    post("New", MOVIES)

    forget(before=moment)

    assert (tail_of(MOVIES), tail_of(SPORTS)) == ((1, 2), (1, 1))
    assert titles(viewer) == ["New"]
    assert [notification.title for notification in Notification.objects.all()] == ["New"]
    assert [part.subject for part in Part.objects.all()] == ["release:new"]
    assert not any(model.objects.exists() for model in (ReadItem, Reach, PastDeliveries))
    assert positions(viewer.pk)[MOVIES] == 2


def test_a_topic_that_was_emptied_goes_on_where_it_was(viewer: User) -> None:
    post("Old")
    forget(before=database_now())

    post("New")

    assert tail_of(MOVIES) == (1, 2)
    assert (titles(viewer), unread_count(viewer_id=viewer.pk)) == (["New"], 1)


def test_a_card_that_changed_lately_stays_and_its_first_word_goes(viewer: User) -> None:
    post("Tuesday", subject="release:a")
    post("Another")
    moment = database_now()
    revise_notification(subject="release:a", subject_version=2, title="Wednesday")

    forget(before=moment)

    assert tail_of(MOVIES) == (2, 3)
    assert titles(viewer) == ["Wednesday"]


def test_what_still_turns_in_some_region_is_kept_and_posted_anew_when_it_does(viewer: User) -> None:
    windows = [{"region": "JP", "opens_at": FAR.isoformat(), "closes_at": None}]
    turning = post("Later in Japan", windows=windows)
    post("Old")

    forget(before=database_now())

    assert [notification.title for notification in Notification.objects.all()] == ["Later in Japan"]
    Notification.objects.filter(pk=turning.pk).update(turns_at=LONG_AGO, windows=[windows[0] | {"opens_at": None}])
    assert turn_windows() == 1
    assert tail_of(MOVIES) == (2, 3)
    forget(before=database_now())
    assert not Notification.objects.exists()
    assert not Posting.objects.exists()


@override_settings(NOTIFICATION_RETENTION=timedelta(days=30))
def test_a_late_replay_of_what_was_forgotten_is_no_news(viewer: User) -> None:
    published_at = database_now() - timedelta(days=31)
    again = post_notification(
        subject="release:a",
        subject_version=2,
        kind="premiere",
        topics={MOVIES: "Movies"},
        title="Again",
        body="",
        url="/",
        published_at=published_at,
    )

    assert again is None
    assert titles(viewer) == []


@pytest.mark.parametrize("victim", ["forget_postings", "forget_notifications"])
def test_a_run_that_dies_between_batches_or_within_one_is_finished_by_the_next(
    viewer: User, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    for number in range(5):
        post(str(number), MOVIES, SPORTS)
        dismiss(viewer_id=viewer.pk, ids=[Notification.objects.latest("pk").pk])
    monkeypatch.setattr(settings, "NOTIFICATION_RETENTION", timedelta(0))
    for name in ("POSTINGS_AT_ONCE", "NOTIFICATIONS_AT_ONCE", "ITEMS_AT_ONCE"):
        monkeypatch.setattr(retention, name, 2)
    with monkeypatch.context() as patch:
        patch.setattr(retention, "_run", dying_in_the_second(victim, retention._run))
        with pytest.raises(KeyboardInterrupt):
            forget_old()
    assert tail_of(MOVIES) == tail_of(SPORTS)
    assert titles(viewer) == []
    assert Notification.objects.exists()

    forget_old()

    assert tail_of(MOVIES) == tail_of(SPORTS) == (5, 5)
    assert not any(model.objects.exists() for model in (Notification, Posting, ReadItem))
    assert forget_old() == 0


def dying_in_the_second(victim: str, run: Callable[..., int]) -> Callable[..., int]:
    """The second batch of `victim` does its work, and then the process is gone before it commits."""
    batches: list[str] = []

    def run_or_die(statement: str, **parameters: object) -> int:
        done = run(statement, **parameters)
        batches.append(statement)
        if batches.count(victim) == 2:
            raise KeyboardInterrupt
        return done

    return run_or_die
