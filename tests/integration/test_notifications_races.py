"""Commands that meet each other: real threads, real transactions."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.db.models import Max

from accounts.clock import database_now
from notifications.commands import revise_notification, subscribe, unsubscribe
from notifications.models import Notification, Posting, ReadState, Subscription, Topic
from notifications.queries import unread_count
from notifications.read_commands import mark_read
from notifications.retention import forget_notifications, forget_postings

from .notifications_support import MOVIES, a_viewer, post, titles

pytestmark = pytest.mark.django_db(transaction=True)


def together(*work: Callable[[], object]) -> None:
    """Run all at once, each on a thread and a connection of its own; any failure fails the test."""
    barrier = threading.Barrier(len(work))

    def run(one: Callable[[], object]) -> None:
        barrier.wait()
        try:
            one()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as pool:
        for done in [pool.submit(run, one) for one in work]:
            done.result(30)


def test_an_interval_is_exact_against_a_posting_that_is_being_committed() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    posted, may_commit = threading.Event(), threading.Event()

    def post_slowly() -> None:
        with transaction.atomic():
            post("Just before leaving")
            posted.set()
            may_commit.wait(10)

    def leave() -> None:
        posted.wait(10)
        threading.Timer(0.2, may_commit.set).start()
        unsubscribe(viewer_id=viewer.pk, topic=MOVIES)

    together(post_slowly, leave)
    post("After leaving")

    assert Subscription.objects.get().until_seq == 2
    assert titles(viewer) == ["Just before leaving"]


def test_postings_from_many_threads_to_crossing_topics_leave_no_gap_and_do_not_deadlock() -> None:
    pairs = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "a")]

    def post_some(first: str, second: str) -> Callable[[], None]:
        def work() -> None:
            for number in range(8):
                post(f"{first}{second}{number}", f"category:{first}", f"category:{second}")

        return work

    together(*(post_some(*pair) for pair in pairs))

    for topic in Topic.objects.all():
        rows = Posting.objects.filter(topic=topic).order_by("seq")
        assert [row.seq for row in rows] == list(range(1, topic.head + 1))
        moments = [row.posted_at for row in rows]
        assert moments == sorted(moments)
        ids = [row.notification_id for row in rows]
        assert ids == sorted(ids)


def test_posting_changing_and_forgetting_at_once_leave_no_gap_and_do_not_deadlock() -> None:
    def post_some(first: str, second: str) -> Callable[[], None]:
        def work() -> None:
            for number in range(8):
                subject = f"release:{first}{number}"
                post(subject, f"category:{first}", f"category:{second}", subject=subject)
                revise_notification(subject=subject, subject_version=2, title="Changed")

        return work

    def forget_some() -> None:
        for _ in range(15):
            forget_postings(before=database_now())
            forget_notifications(before=database_now())

    together(*(post_some(*pair) for pair in [("a", "b"), ("b", "c"), ("c", "a")]), forget_some, forget_some)

    for topic in Topic.objects.all():
        kept = Posting.objects.filter(topic=topic, seq__gt=topic.tail).order_by("seq")
        assert [row.seq for row in kept] == list(range(topic.tail + 1, topic.head + 1))
    forget_some()
    assert not Notification.objects.exists()


def test_two_posts_of_one_subject_version_make_one_notification() -> None:
    def post_it() -> None:
        with transaction.atomic():
            try:
                post("Once", subject="release:a")
            except AssertionError:
                return  # the other was first

    together(*[post_it] * 4)

    assert Notification.objects.count() == 1
    assert Posting.objects.count() == 1


def test_subscribing_in_two_tabs_at_once_opens_one_interval() -> None:
    viewer = a_viewer()

    together(*[lambda: subscribe(viewer_id=viewer.pk, topic="title:new")] * 4)

    assert Subscription.objects.filter(until_seq__isnull=True).count() == 1


def test_switching_on_and_off_while_postings_come_keeps_intervals_apart() -> None:
    viewer = a_viewer()

    def switch() -> None:
        for _ in range(15):
            subscribe(viewer_id=viewer.pk, topic=MOVIES)
            unsubscribe(viewer_id=viewer.pk, topic=MOVIES)

    def post_some() -> None:
        for number in range(20):
            post(str(number))

    together(switch, post_some)

    last = 0
    for one in Subscription.objects.order_by("from_seq"):
        assert one.until_seq is not None
        assert last <= one.from_seq < one.until_seq
        last = one.until_seq
    assert last <= (Posting.objects.aggregate(top=Max("seq"))["top"] or 0) + 1


def test_reads_from_many_tabs_all_count() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    posted = [post(str(number)) for number in range(8)]

    together(*(lambda one=one: mark_read(viewer_id=viewer.pk, ids=[one.pk]) for one in posted))

    assert unread_count(viewer_id=viewer.pk) == 0
    assert ReadState.objects.get(viewer=viewer).version == 8
