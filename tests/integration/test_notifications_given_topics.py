"""The topics that exist without subscribing: each viewer's own, and everybody's."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from accounts.clock import database_now
from accounts.commands import end_membership
from accounts.models import User
from notifications.commands import subscribe
from notifications.given_topics import PLATFORM, own_topic
from notifications.models import Topic
from notifications.outbound import creation, endpoints
from notifications.outbound.models import Delivery
from notifications.queries import inbox, positions, unread_count, why
from notifications.read_commands import mark_read
from notifications.resume_queries import missed_by

from .live_support import Client, LiveServer, push
from .notifications_support import MOVIES, a_viewer, given, post, titles
from .outbound_support import make

pytestmark = pytest.mark.django_db


def test_what_is_posted_to_ones_own_topic_is_seen_by_that_viewer_alone() -> None:
    viewer, other = a_viewer(), a_viewer()

    post("For one", own_topic(viewer.pk), kind="reminder")

    assert titles(viewer) == ["For one"]
    assert unread_count(viewer_id=viewer.pk) == 1
    assert titles(other) == []
    assert positions(other.pk) == given(other)
    assert Topic.objects.get(name=own_topic(viewer.pk)).viewer == viewer


def test_what_is_posted_to_everybody_is_seen_by_all_who_had_joined() -> None:
    before = a_viewer()
    post("News", PLATFORM, kind="announcement")
    after = a_viewer()
    post("More news", PLATFORM, kind="announcement")

    assert titles(before) == ["More news", "News"]
    assert titles(after) == ["More news"]
    assert positions(after.pk) == given(after, platform=2)


def test_what_is_given_needs_no_membership() -> None:
    never, lapsed = a_viewer(member=False), a_viewer()
    end_membership(user=lapsed)

    for viewer in (never, lapsed):
        post("Your membership has ended", own_topic(viewer.pk), kind="reminder")
    post("News", PLATFORM, kind="announcement")

    assert titles(never) == titles(lapsed) == ["News", "Your membership has ended"]


def test_a_child_sees_of_it_what_children_may() -> None:
    child = a_viewer(is_kids=True)

    post("For adults", own_topic(child.pk), kind="reminder", maturity=12)
    post("For all", own_topic(child.pk), kind="reminder")

    assert titles(child) == ["For all"]


def test_it_is_read_by_position_and_one_by_one() -> None:
    viewer, other = a_viewer(), a_viewer()
    first = post("First", own_topic(viewer.pk), kind="reminder")
    post("News", PLATFORM, kind="announcement")

    assert mark_read(viewer_id=other.pk, ids=[first.pk], positions={own_topic(viewer.pk): 1}).is_empty
    assert mark_read(viewer_id=viewer.pk, ids=[first.pk]).unread == 1
    assert mark_read(viewer_id=viewer.pk, positions=positions(viewer.pk)).unread == 0
    assert [entry.read for entry in inbox(viewer_id=viewer.pk).entries] == [True, True]


def test_positions_of_anothers_own_topic_bring_nothing_of_it() -> None:
    viewer, other = a_viewer(), a_viewer()
    held = positions(viewer.pk) | positions(other.pk)
    mine, _ = post("Mine", own_topic(viewer.pk), kind="reminder"), post("Theirs", own_topic(other.pk), kind="reminder")

    (missed,) = missed_by(viewers=[(viewer.pk, held)], limit=9)

    assert missed == ((mine.pk, 1),)
    assert set(positions(viewer.pk)) == set(given(viewer))


def test_a_viewers_own_topic_is_never_mixed_with_another_because_frames_name_all_topics() -> None:
    one, two = a_viewer(), a_viewer()

    with pytest.raises(ValueError, match="nowhere else"):
        post("To both", own_topic(one.pk), own_topic(two.pk))
    with pytest.raises(ValueError, match="nowhere else"):
        post("To one and all", own_topic(one.pk), PLATFORM)


def test_pages_say_nothing_of_given_topics_that_are_asked_for_by_name() -> None:
    viewer, other = a_viewer(), a_viewer()
    post("Theirs", own_topic(other.pk), kind="reminder")
    browser = Browser()
    browser.force_login(viewer)

    for topic in (own_topic(other.pk), PLATFORM):
        assert browser.get("/notifications/fragments/follow/", {"topic": topic}).status_code == 404
        assert browser.get("/notifications/fragments/follow-panel/", {"topic": topic}).status_code == 404


def test_why_says_since_when_it_is_given() -> None:
    viewer = a_viewer()
    posted = post("Mine", own_topic(viewer.pk), kind="reminder")

    (reason,) = why(viewer.pk, posted.pk)

    assert (reason.topic, reason.is_given, reason.since) == (own_topic(viewer.pk), True, viewer.date_joined)


def test_a_page_with_given_topics_still_costs_three_queries() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    post("Followed")
    post("Mine", own_topic(viewer.pk), kind="reminder")
    post("News", PLATFORM, kind="announcement")
    inbox(viewer_id=viewer.pk)

    with CaptureQueriesContext(connection) as queries:
        page = inbox(viewer_id=viewer.pk)

    assert [entry.title for entry in page.entries] == ["News", "Mine", "Followed"]
    assert len(queries) == 3


# --- Outside the platform -------------------------------------------------------------------------------------------
def test_deliveries_go_to_the_one_viewer_or_to_everybody_who_had_joined() -> None:
    one, lapsed, late = a_viewer(), a_viewer(member=False), a_viewer()
    for viewer in (one, lapsed, late):
        endpoints.set_mail(viewer_id=viewer.pk, on=True)
    mine = post("Mine", own_topic(lapsed.pk), kind="reminder")
    User.objects.filter(pk=late.pk).update(date_joined=database_now() + timedelta(hours=1))
    news = post("News", PLATFORM, kind="announcement")

    for notification in (mine, news):
        assert creation.plan(notification_id=notification.pk) == 1
        make(notification)

    rows = Delivery.objects.order_by("notification_id", "viewer_id").values_list("notification_id", "viewer_id")
    assert list(rows) == [(mine.pk, lapsed.pk), (news.pk, one.pk), (news.pk, lapsed.pk)]


# --- Live -----------------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_the_first_of_each_comes_live_to_those_it_is_for_also_without_a_membership(
    live_web: LiveServer, subscriber: User
) -> None:
    lapsed = a_viewer(member=False)
    with Client(live_web, subscriber) as one, Client(live_web, lapsed) as two:
        one.resume()
        assert two.resume()["positions"] == given(lapsed)

        push(post("For the second", own_topic(lapsed.pk), kind="reminder"))
        push(post("News", PLATFORM, kind="announcement"))

        assert two.titles(2) == ["For the second", "News"]
        assert one.titles(1) == ["News"]
        assert two.positions == given(lapsed, own=1, platform=1)
        assert one.positions == {MOVIES: 0} | given(subscriber, platform=1)


@pytest.mark.django_db(transaction=True)
def test_whoever_resumes_with_anothers_own_topic_is_told_nothing_of_it(live_web: LiveServer, subscriber: User) -> None:
    other = a_viewer()
    post("Theirs, before", own_topic(other.pk), kind="reminder")
    page = inbox(viewer_id=subscriber.pk)

    with Client(live_web, subscriber) as client:
        welcome = client.resume(page.epoch, page.positions | {own_topic(other.pk): 0})
        assert own_topic(other.pk) not in welcome["positions"]
        push(post("Theirs, live", own_topic(other.pk), kind="reminder"))
        assert client.hears_nothing()
