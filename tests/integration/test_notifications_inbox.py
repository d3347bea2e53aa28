"""Who finds what in the inbox."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.clock import database_now
from accounts.commands import end_membership, start_membership
from accounts.models import Membership
from notifications.commands import post_notification, revise_notification, subscribe, unsubscribe
from notifications.models import Notification, Posting, Topic
from notifications.queries import inbox, positions, topics_for, unread_count, why
from notifications.read_commands import mark_read
from notifications.resume_queries import missed_by

from .notifications_support import LONG_AGO, MOVIES, a_viewer, given, post, titles

pytestmark = pytest.mark.django_db
LIMIT = 200


def test_an_offline_viewer_finds_two_releases_in_order_once_each() -> None:
    viewer = a_viewer()
    for topic in (MOVIES, "studio:aurora"):
        subscribe(viewer_id=viewer.pk, topic=topic)

    post("First", MOVIES, "studio:aurora")
    post("Second", MOVIES, "studio:aurora")

    assert titles(viewer) == ["Second", "First"]
    assert unread_count(viewer_id=viewer.pk) == 2


def test_what_was_posted_before_subscribing_is_not_seen() -> None:
    viewer = a_viewer()
    post("Before")

    subscribe(viewer_id=viewer.pk, topic=MOVIES)

    assert titles(viewer) == []


def test_a_viewer_who_unsubscribed_in_between_finds_only_the_first() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    post("First")

    unsubscribe(viewer_id=viewer.pk, topic=MOVIES)
    post("Second")

    assert titles(viewer) == ["First"]


def test_subscribing_again_does_not_reveal_what_came_in_between() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    post("First")
    unsubscribe(viewer_id=viewer.pk, topic=MOVIES)
    post("Second")

    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    post("Third")

    assert titles(viewer) == ["Third", "First"]


def test_a_viewer_whose_membership_ended_finds_none_after_that_also_after_renewing() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    post("Paid")
    end_membership(user=viewer)
    post("Missed")
    assert titles(viewer) == ["Paid"]

    start_membership(user=viewer)
    post("Paid again")

    assert titles(viewer) == ["Paid again", "Paid"]


def test_a_membership_period_ends_at_its_very_moment() -> None:
    viewer = a_viewer(member=False)
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    posted = post("On the edge")
    moment = Posting.objects.get(notification=posted).posted_at

    Membership.objects.create(user=viewer, starts_at=LONG_AGO, ends_at=moment)
    assert titles(viewer) == []

    Membership.objects.create(user=viewer, starts_at=moment)
    assert titles(viewer) == ["On the edge"]


def test_only_the_kinds_that_were_chosen_are_seen() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES, kinds=["episode"])

    post("A premiere", kind="premiere")
    post("An episode", kind="episode")

    assert titles(viewer) == ["An episode"]


def test_a_change_of_kinds_holds_from_the_next_posting_on() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES, kinds=["premiere"])
    post("Premiere 1")
    post("Episode 1", kind="episode")

    subscribe(viewer_id=viewer.pk, topic=MOVIES, kinds=["episode"])
    post("Premiere 2")
    post("Episode 2", kind="episode")

    assert titles(viewer) == ["Episode 2", "Premiere 1"]


def test_a_kids_profile_sees_nothing_above_seven() -> None:
    child, adult = a_viewer(is_kids=True), a_viewer()
    for viewer in (child, adult):
        subscribe(viewer_id=viewer.pk, topic=MOVIES)

    post("Bears", maturity=7)
    post("Wolves", maturity=12)

    assert titles(child) == ["Bears"]
    assert titles(adult) == ["Wolves", "Bears"]


def test_what_has_expired_is_gone() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)

    post("Over", expires_at=datetime.now(UTC) - timedelta(seconds=1))

    assert titles(viewer) == []
    assert unread_count(viewer_id=viewer.pk) == 0


def test_a_revision_changes_the_card_in_place_and_is_unread_again() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    first = post("Tuesday", subject="release:a")
    post("Another")
    mark_read(viewer_id=viewer.pk, ids=[first.pk])

    revised = revise_notification(subject="release:a", subject_version=2, title="Wednesday")

    assert revised is not None
    page = inbox(viewer_id=viewer.pk)
    assert [(entry.title, entry.revision, entry.read) for entry in page.entries] == [
        ("Another", 1, False),
        ("Wednesday", 2, False),
    ]


def test_a_recall_reaches_every_topic_the_notification_was_posted_to() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic="studio:aurora")
    post("Leaked", MOVIES, "studio:aurora", subject="release:a")

    revise_notification(subject="release:a", subject_version=2, recalled=True)

    (entry,) = inbox(viewer_id=viewer.pk).entries
    assert (entry.recalled, entry.revision, entry.positions) == (True, 2, {"studio:aurora": 2})


def test_an_older_version_of_the_subject_is_refused() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    post("New", subject="release:a", version=3)

    again: dict[str, Any] = {
        "subject": "release:a",
        "kind": "premiere",
        "body": "",
        "url": "/",
        "published_at": LONG_AGO,
    }
    assert post_notification(subject_version=3, title="Same", topics={MOVIES: "Movies"}, **again) is None
    assert post_notification(subject_version=2, title="Old", topics={MOVIES: "Movies"}, **again) is None

    assert titles(viewer) == ["New"]
    assert Topic.objects.get(name=MOVIES).head == 1


def test_what_was_recalled_before_it_was_posted_is_never_seen_nor_resurrected() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)

    post("Never", subject="release:a", version=2, recalled=True)
    again: dict[str, Any] = {
        "subject": "release:a",
        "kind": "premiere",
        "body": "",
        "url": "/",
        "published_at": LONG_AGO,
    }
    late = post_notification(subject_version=1, title="Late replay", topics={MOVIES: "Movies"}, **again)

    assert late is None
    assert titles(viewer) == []
    assert not Posting.objects.exists()


def test_pages_follow_each_other_without_gap_or_overlap() -> None:
    viewer = a_viewer()
    for topic in (MOVIES, "category:sports"):
        subscribe(viewer_id=viewer.pk, topic=topic)
    for number in range(7):
        post(str(number), MOVIES if number % 2 else "category:sports")

    seen: list[str] = []
    before: int | None = None
    for _ in range(4):
        page = inbox(viewer_id=viewer.pk, before=before, limit=2)
        seen += [entry.title for entry in page.entries]
        before = page.next_before

    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
    assert before is None


def test_a_page_costs_three_queries_whatever_is_on_it() -> None:
    viewer = a_viewer()
    for topic in (MOVIES, "category:sports", "studio:aurora"):
        subscribe(viewer_id=viewer.pk, topic=topic)
    for number in range(20):
        post(str(number), MOVIES, "category:sports", "studio:aurora")
    inbox(viewer_id=viewer.pk)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = inbox(viewer_id=viewer.pk)

    assert len(page.entries) == 20
    assert len(queries) <= 3


def test_the_page_carries_positions_of_followed_and_of_left_topics() -> None:
    viewer = a_viewer()
    for topic in (MOVIES, "category:sports"):
        subscribe(viewer_id=viewer.pk, topic=topic)
    post("Both", MOVIES, "category:sports")
    unsubscribe(viewer_id=viewer.pk, topic="category:sports")
    post("Sports alone", "category:sports")

    assert inbox(viewer_id=viewer.pk).positions == {MOVIES: 1, "category:sports": 1} | given(viewer)
    assert positions(viewer.pk) == {MOVIES: 1, "category:sports": 1} | given(viewer)


def test_the_epoch_changes_with_what_the_viewer_may_see() -> None:
    viewer = a_viewer()
    epochs = [inbox(viewer_id=viewer.pk).epoch]
    for change in (
        lambda: subscribe(viewer_id=viewer.pk, topic=MOVIES),
        lambda: subscribe(viewer_id=viewer.pk, topic=MOVIES, kinds=["episode"]),
        lambda: unsubscribe(viewer_id=viewer.pk, topic=MOVIES),
        lambda: end_membership(user=viewer, at=database_now()),
    ):
        change()
        epochs.append(inbox(viewer_id=viewer.pk).epoch)

    assert len(set(epochs)) == len(epochs)


def test_what_is_missing_from_positions_comes_once_in_posting_order_at_its_newest_revision() -> None:
    viewer = a_viewer()
    for topic in (MOVIES, "category:sports"):
        subscribe(viewer_id=viewer.pk, topic=topic)
    post("Known", subject="release:known")
    held = positions(viewer.pk)
    post("First", MOVIES, "category:sports", subject="release:first")
    post("Second", "category:sports")
    revise_notification(subject="release:known", subject_version=2, title="Known, changed")
    revise_notification(subject="release:first", subject_version=2, title="First, changed")

    stranger = a_viewer()

    missed, of_stranger = missed_by(viewers=[(viewer.pk, held), (stranger.pk, held)], limit=LIMIT)

    assert of_stranger == ()
    titles = dict(Notification.objects.values_list("pk", "title"))
    assert [(titles[pk], revision) for pk, revision in missed] == [
        ("Second", 1),
        ("Known, changed", 2),
        ("First, changed", 2),
    ]


def test_why_names_the_topics_by_which_it_came() -> None:
    viewer = a_viewer()
    for topic in (MOVIES, "studio:aurora"):
        subscribe(viewer_id=viewer.pk, topic=topic)
    posted = post("Both", MOVIES, "studio:aurora", "title:both")

    assert [reason.topic for reason in why(viewer.pk, posted.pk)] == [MOVIES, "studio:aurora"]
    assert why(a_viewer().pk, posted.pk) == []
    assert why(viewer.pk, 2**80) == []


def test_topics_are_grouped_and_say_what_is_followed() -> None:
    viewer = a_viewer()
    post("One", MOVIES, "studio:aurora", "title:one")
    post("Two", "title:two")
    subscribe(viewer_id=viewer.pk, topic="title:two", kinds=["episode"])

    categories, studios, followed_titles = topics_for(viewer.pk)

    assert [topic.label for topic in categories.topics] == ["Movies", "TV Shows", "Sports", "Documentaries", "Kids"]
    assert [(topic.name, topic.subscribed) for topic in studios.topics] == [("studio:aurora", False)]
    assert [(topic.name, topic.kinds) for topic in followed_titles.topics] == [("title:two", ("episode",))]


def test_every_entry_is_counted_once_whatever_the_ways_it_came() -> None:
    viewer = a_viewer()
    for topic in (MOVIES, "studio:aurora", "title:x"):
        subscribe(viewer_id=viewer.pk, topic=topic)
    for number in range(5):
        post(str(number), MOVIES, "studio:aurora", "title:x", subject=f"release:{number}")
    revise_notification(subject="release:0", subject_version=2, title="0, changed")
    mark_read(viewer_id=viewer.pk, ids=[Notification.objects.get(subject="release:1").pk])

    entries = inbox(viewer_id=viewer.pk).entries
    assert unread_count(viewer_id=viewer.pk) == 4 == sum(not entry.read for entry in entries)
