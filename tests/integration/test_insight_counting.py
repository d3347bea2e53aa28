"""Viewers are counted once each, within a HyperLogLog's error, whatever happens to Redis or to whoever flushes."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from notifications.commands import ensure_topics, subscribe
from notifications.events import notification_posted
from notifications.insight import sketches
from notifications.insight.audience import measure_audience
from notifications.insight.flushing import flush
from notifications.insight.models import Reach, Stage
from notifications.insight.sketches import Name
from notifications.insight.tally import Tally
from notifications.models import Notification
from tests.support.proxy import Proxy

from .notifications_support import MOVIES, a_viewer, post

pytestmark = pytest.mark.django_db
ERROR = 0.0081  # the standard error of 16,384 registers


@pytest.fixture(autouse=True)
def _nothing_counted_yet() -> Iterator[None]:
    empty_redis()
    yield
    empty_redis()


def empty_redis() -> None:
    keys = list(sketches.client().scan_iter("insight:*"))
    if keys:
        sketches.client().delete(*keys)


def reach_of(notification: Notification) -> dict[str, int]:
    return dict(Reach.objects.filter(notification=notification).values_list("stage", "viewers"))


def count(notification: Notification, viewers: range | list[int], stage: Stage = Stage.PUSHED) -> None:
    """As a process counts that begins and ends with it."""
    tally = Tally()
    tally.note(stage, (notification.pk,), viewers)
    tally.tell()


def test_twenty_thousand_viewers_are_counted_within_the_error_of_the_sketch() -> None:
    notification = post("Seen by many")
    count(notification, range(1, 20_001))
    count(notification, range(1, 8_001), Stage.SEEN)
    flush()
    counted = reach_of(notification)
    assert abs(counted["pushed"] - 20_000) <= 3 * ERROR * 20_000
    assert abs(counted["seen"] - 8_000) <= 3 * ERROR * 8_000


def test_a_viewer_with_three_tabs_counts_once() -> None:
    notification = post("In three tabs")
    for _ in range(3):
        count(notification, [7])
    count(notification, [7, 7, 8])
    flush()
    assert reach_of(notification) == {"pushed": 2}


def test_who_opened_it_has_seen_it_and_was_handed_it() -> None:
    notification = post("Opened from a mail")
    count(notification, [7], Stage.OPENED)
    flush()
    assert reach_of(notification) == {"pushed": 1, "seen": 1, "opened": 1}


def test_nothing_is_left_to_flush_and_flushing_again_changes_nothing() -> None:
    notification = post("Flushed")
    count(notification, range(100))
    assert flush() == 1
    assert flush() == 0
    assert reach_of(notification)["pushed"] == pytest.approx(100, abs=2)


def test_an_emptied_redis_lowers_nothing_and_forgets_nobody() -> None:
    notification = post("Before and after")
    count(notification, range(1000))
    flush()
    empty_redis()
    count(notification, range(900, 1500))
    flush()
    assert reach_of(notification)["pushed"] == pytest.approx(1500, rel=3 * ERROR)
    empty_redis()
    count(notification, [1])
    flush()
    assert reach_of(notification)["pushed"] == pytest.approx(1500, rel=3 * ERROR)


def test_a_flush_that_is_killed_between_reading_and_writing_is_made_up_by_the_next() -> None:
    notification = post("Killed in the middle")
    count(notification, range(50))
    changes = sketches.changed(100)
    sketches.read([Name.parse(change) for change in changes], {})  # and here it dies
    assert flush() == 1
    assert reach_of(notification)["pushed"] == pytest.approx(50, abs=1)


def test_what_is_counted_while_a_flush_writes_is_flushed_by_the_next() -> None:
    notification = post("Meanwhile")
    count(notification, [1])
    changes = sketches.changed(100)
    sketches.read([Name.parse(change) for change in changes], {})
    count(notification, [2])
    sketches.forget(changes)
    assert flush() == 1
    assert reach_of(notification) == {"pushed": 2}


def test_more_sketches_than_fit_into_a_batch_are_all_flushed(django_assert_max_num_queries: Any) -> None:
    notifications = [post(f"Number {number}") for number in range(120)]
    for notification in notifications:
        count(notification, [1])
    with django_assert_max_num_queries(2 * 5):  # savepoint, lock, what is stored, one INSERT, release: twice
        assert flush() == 120
    assert Reach.objects.filter(stage="pushed", viewers=1).count() == 120


def test_what_is_for_one_viewer_alone_or_for_nobody_leaves_no_row() -> None:
    viewer = a_viewer()
    ensure_topics(labels={f"viewer:{viewer.pk}": "For you"})
    personal = post("For you", f"viewer:{viewer.pk}")
    count(personal, [viewer.pk])
    count(Notification(pk=personal.pk + 1000), [viewer.pk])
    flush()
    assert not Reach.objects.exists()


@pytest.fixture
def line(settings: Any) -> Iterator[Proxy]:
    """The way to Redis, to be cut."""
    address = settings.REDIS_URL
    server = urlsplit(address)
    proxy = Proxy(server.port or 6379)
    proxy.open()
    settings.REDIS_URL = address.replace(f":{server.port}", f":{proxy.port}")
    sketches.client.cache_clear()
    yield proxy
    proxy.close()
    settings.REDIS_URL = address
    sketches.client.cache_clear()


def test_noting_waits_for_nobody_and_loses_nothing_while_redis_is_away(line: Proxy) -> None:
    notification, tally = post("Through a fault"), Tally()
    line.close()
    began = time.perf_counter()
    for first in range(0, 2000, 100):
        tally.note(Stage.PUSHED, (notification.pk,), range(first, first + 100))
    assert time.perf_counter() - began < 0.1
    with pytest.raises(redis.RedisError):
        tally.tell()
    line.open()
    tally.tell()
    flush()
    assert reach_of(notification)["pushed"] == pytest.approx(2000, rel=3 * ERROR)


def test_a_process_tells_redis_by_itself() -> None:
    notification, tally = post("By itself"), Tally()
    tally.note(Stage.PUSHED, (notification.pk,), [1, 2, 3])
    deadline = time.monotonic() + 5
    while not flush():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert reach_of(notification) == {"pushed": 3}


def test_routed_are_the_followers_and_posted_those_who_find_it_in_the_inbox(
    django_assert_num_queries: Callable[[int], AbstractContextManager[Any]],
) -> None:
    member, child, lapsed = a_viewer(), a_viewer(is_kids=True), a_viewer(member=False)
    for viewer in (member, child, lapsed):
        subscribe(viewer_id=viewer.pk, topic=MOVIES)
    subscribe(viewer_id=member.pk, topic="title:x")
    subscribe(viewer_id=a_viewer().pk, topic=MOVIES, kinds=["episode"])
    notification = post("For adults", MOVIES, "title:x", maturity=16)
    for _ in range(2):
        with django_assert_num_queries(1):
            measure_audience(notification_posted(notification, {}))
    assert reach_of(notification) == {"routed": 3, "posted": 1}
