"""Read marks."""

from typing import Any

import pytest

from notifications.commands import revise_notification, subscribe, unsubscribe
from notifications.errors import InvalidPositions
from notifications.models import ReadMark, ReadState
from notifications.queries import inbox, positions, read_news, unread_count
from notifications.read_commands import mark_read

from .notifications_support import MOVIES, a_viewer, post

pytestmark = pytest.mark.django_db


def test_reading_one_leaves_the_others_unread_and_raises_the_version() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    first, second = post("First"), post("Second")

    read = mark_read(viewer_id=viewer.pk, ids=[first.pk])

    assert (read.version, read.ids, read.unread) == (1, [first.pk], 1)
    assert {entry.id: entry.read for entry in inbox(viewer_id=viewer.pk).entries} == {first.pk: True, second.pk: False}


def test_reading_the_same_again_changes_nothing() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    posted = post("First")
    mark_read(viewer_id=viewer.pk, ids=[posted.pk])

    again = mark_read(viewer_id=viewer.pk, ids=[posted.pk])

    assert again.is_empty
    assert ReadState.objects.get(viewer=viewer).version == 1


def test_another_viewers_notifications_are_passed_over() -> None:
    viewer, other = a_viewer(), a_viewer()
    subscribe(viewer_id=other.pk, topic=MOVIES)
    posted = post("Not mine")

    read = mark_read(viewer_id=viewer.pk, ids=[posted.pk, -1, 0, 2**70], positions={MOVIES: 1})

    assert read.is_empty


def test_a_mark_reads_everything_up_to_it_also_in_topics_that_were_left() -> None:
    viewer = a_viewer()
    for topic in (MOVIES, "category:sports"):
        subscribe(viewer_id=viewer.pk, topic=topic)
    post("Movie")
    post("Match", "category:sports")
    unsubscribe(viewer_id=viewer.pk, topic="category:sports")

    read = mark_read(viewer_id=viewer.pk, positions=positions(viewer.pk))

    assert (read.positions, read.unread) == ({MOVIES: 1, "category:sports": 1}, 0)


def test_a_mark_never_moves_backwards_nor_above_the_head() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    for number in range(3):
        post(str(number))

    mark_read(viewer_id=viewer.pk, positions={MOVIES: 2**63 - 1})
    assert ReadMark.objects.get(viewer=viewer).seq == 3

    assert mark_read(viewer_id=viewer.pk, positions={MOVIES: 1}).is_empty
    assert ReadMark.objects.get(viewer=viewer).seq == 3
    post("Later")
    assert unread_count(viewer_id=viewer.pk) == 1


@pytest.mark.parametrize("seq", [-1, 2**63, True, "1", 1.5])
def test_a_position_that_is_none_is_refused(seq: Any) -> None:
    with pytest.raises(InvalidPositions):
        mark_read(viewer_id=a_viewer().pk, positions={MOVIES: seq})


def test_a_mark_in_one_topic_reads_what_came_by_two() -> None:
    viewer = a_viewer()
    for topic in (MOVIES, "category:sports"):
        subscribe(viewer_id=viewer.pk, topic=topic)
    post("Both", MOVIES, "category:sports")

    mark_read(viewer_id=viewer.pk, positions={"category:sports": 1})

    assert unread_count(viewer_id=viewer.pk) == 0
    assert inbox(viewer_id=viewer.pk).entries[0].read


def test_a_revision_after_leaving_the_topic_does_not_make_it_unread() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    posted = post("Seen", subject="release:a")
    mark_read(viewer_id=viewer.pk, ids=[posted.pk])
    unsubscribe(viewer_id=viewer.pk, topic=MOVIES)

    revise_notification(subject="release:a", subject_version=2, title="Changed")

    (entry,) = inbox(viewer_id=viewer.pk).entries
    assert (entry.title, entry.revision, entry.read) == ("Changed", 1, True)


def test_the_count_stops_at_a_hundred() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    for number in range(101):
        post(str(number))

    assert unread_count(viewer_id=viewer.pk) == 100


def test_what_changed_since_it_was_read_is_not_told_as_read() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    kept, changed = post("Kept"), post("Changed", subject="release:changed")
    mark_read(viewer_id=viewer.pk, ids=[kept.pk, changed.pk])
    revise_notification(subject="release:changed", subject_version=2, title="Changed again")

    news = read_news(viewer_id=viewer.pk)

    assert (news.ids, news.unread) == ([kept.pk], 1)
