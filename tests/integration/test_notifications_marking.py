"""What viewers say of single notifications: unread again, dismissed, and back."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.commands import create_api_token
from accounts.models import User
from notifications.commands import revise_notification, subscribe
from notifications.insight.marks import mark_of
from notifications.models import Notification
from notifications.queries import ItemState, inbox, positions, read_news, unread_count
from notifications.read_commands import dismiss, mark_read, mark_unread, restore
from notifications.resume_queries import missed_by

from .notifications_support import LONG_AGO, MOVIES, a_viewer, post, titles

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer() -> User:
    """Somebody who follows Movies."""
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    return viewer


def unread_titles(viewer: User) -> list[str]:
    """What is unread in the inbox; the count says the same."""
    unread = [entry.title for entry in inbox(viewer_id=viewer.pk).entries if not entry.read]
    assert unread_count(viewer_id=viewer.pk) == len(unread)
    return unread


def change(subject: str, title: str) -> None:
    assert revise_notification(subject=subject, subject_version=2, title=title)


# --- Unread ---------------------------------------------------------------------------------------------------------
def test_one_that_a_mark_has_read_is_unread_again(viewer: User) -> None:
    first = post("First")
    post("Second")
    mark_read(viewer_id=viewer.pk, positions={MOVIES: 2})

    news = mark_unread(viewer_id=viewer.pk, ids=[first.pk])

    assert (news.states, news.unread) == ({"read": {}, "unread": {first.pk: 1}, "dismissed": {}}, 1)
    assert unread_titles(viewer) == ["First"]


def test_reading_all_up_to_it_reads_it_also_where_the_mark_stands_there_already(viewer: User) -> None:
    first = post("First")
    mark_read(viewer_id=viewer.pk, positions={MOVIES: 1})
    mark_unread(viewer_id=viewer.pk, ids=[first.pk])

    news = mark_read(viewer_id=viewer.pk, positions={MOVIES: 1})

    assert (news.ids, news.positions, news.unread) == ([first.pk], {}, 0)
    assert unread_titles(viewer) == []


def test_reading_all_below_it_leaves_it_unread(viewer: User) -> None:
    post("First")
    second = post("Second")
    mark_read(viewer_id=viewer.pk, positions={MOVIES: 2})
    mark_unread(viewer_id=viewer.pk, ids=[second.pk])

    assert mark_read(viewer_id=viewer.pk, positions={MOVIES: 1}).is_empty
    assert unread_titles(viewer) == ["Second"]


def test_what_is_unread_already_is_not_marked_again(viewer: User) -> None:
    first = post("First")

    assert mark_unread(viewer_id=viewer.pk, ids=[first.pk, 2**70, -1]).is_empty
    assert mark_unread(viewer_id=a_viewer().pk, ids=[first.pk]).is_empty


# --- Dismissed ------------------------------------------------------------------------------------------------------
def test_a_dismissed_one_is_in_no_page_no_count_and_no_resume(viewer: User) -> None:
    held = positions(viewer.pk)
    posted = [post(str(number)) for number in range(5)]
    dismiss(viewer_id=viewer.pk, ids=[posted[1].pk, posted[3].pk])

    assert unread_titles(viewer) == ["4", "2", "0"]
    page = inbox(viewer_id=viewer.pk, limit=2)
    assert [entry.title for entry in page.entries] == ["4", "2"]
    assert titles(viewer, limit=2, before=page.next_before) == ["0"]
    (missed,) = missed_by(viewers=[(viewer.pk, held)], limit=200)
    assert [pk for pk, _ in missed] == [posted[0].pk, posted[2].pk, posted[4].pk]
    assert read_news(viewer_id=viewer.pk).states[ItemState.DISMISSED] == {posted[1].pk: 1, posted[3].pk: 1}


def test_a_click_on_a_stale_card_does_not_bring_it_back(viewer: User) -> None:
    first = post("First")
    dismiss(viewer_id=viewer.pk, ids=[first.pk])

    mark_read(viewer_id=viewer.pk, ids=[first.pk])

    assert titles(viewer) == []


def test_what_changes_after_it_was_dismissed_is_there_again_unread(viewer: User) -> None:
    first = post("Tuesday", subject="release:a")
    dismiss(viewer_id=viewer.pk, ids=[first.pk])
    held = positions(viewer.pk)

    change("release:a", "Wednesday")

    assert unread_titles(viewer) == ["Wednesday"]
    assert missed_by(viewers=[(viewer.pk, held)], limit=200) == [((first.pk, 2),)]
    assert read_news(viewer_id=viewer.pk).states[ItemState.DISMISSED] == {}


@pytest.mark.parametrize("was_read", [True, False])
def test_a_dismissal_taken_back_leaves_it_as_it_was_and_lets_open_pages_load_anew(viewer: User, was_read: bool) -> None:
    first = post("First")
    mark_read(viewer_id=viewer.pk, positions={MOVIES: 1})
    if not was_read:
        mark_unread(viewer_id=viewer.pk, ids=[first.pk])
    dismiss(viewer_id=viewer.pk, ids=[first.pk])
    epoch = inbox(viewer_id=viewer.pk).epoch

    restore(viewer_id=viewer.pk, ids=[first.pk])

    page = inbox(viewer_id=viewer.pk)
    assert [(entry.title, entry.read) for entry in page.entries] == [("First", was_read)]
    assert page.epoch != epoch
    assert unread_count(viewer_id=viewer.pk) == (0 if was_read else 1)
    assert restore(viewer_id=viewer.pk, ids=[first.pk]).is_empty


def test_each_of_these_costs_the_same_however_many_are_named(viewer: User) -> None:
    ids = [post(str(number)).pk for number in range(20)]
    for say in (mark_read, mark_unread, dismiss, restore):
        with CaptureQueriesContext(connection) as queries:
            say(viewer_id=viewer.pk, ids=ids)
        assert len(queries) <= 9  # savepoints are counted, too


# --- By HTTP --------------------------------------------------------------------------------------------------------
def call(viewer: User, act: str, body: dict[str, Any]) -> Any:
    """POST to the API as a program does."""
    _, token = create_api_token(user=viewer, name="test")
    headers = {"Authorization": f"Bearer {token}"}
    return Client(headers=headers).post(f"/api/v1/inbox/{act}", json.dumps(body), content_type="application/json")


def test_the_api_marks_dismisses_and_restores(viewer: User) -> None:
    first = post("First")
    mark_read(viewer_id=viewer.pk, positions={MOVIES: 1})

    for act, states, unread in (
        ("unread", {"unread": {str(first.pk): 1}}, 1),
        ("dismiss", {"dismissed": {str(first.pk): 1}}, 0),
        ("restore", {"unread": {str(first.pk): 1}}, 1),
        ("read", {"read": {str(first.pk): 1}}, 0),
    ):
        answer = call(viewer, act, {"ids": [first.pk]}).json()
        assert {state: items for state, items in answer["states"].items() if items} == states
        assert answer["unread"] == unread
    assert call(viewer, "dismiss", {}).status_code == 422
    assert call(viewer, "unread", {"ids": [0]}).status_code == 422


def test_the_pages_forms_do_the_same_and_refuse_what_is_no_id(viewer: User) -> None:
    first = post("First")
    client = Client()
    client.force_login(viewer)

    assert client.post("/notifications/dismiss/", {"ids": first.pk}).status_code == 204
    assert titles(viewer) == []
    assert client.post("/notifications/restore/", {"ids": first.pk}).status_code == 204
    assert client.post("/notifications/unread/", {"ids": "one"}).status_code == 400
    assert client.post("/notifications/unread/").status_code == 400
    assert client.get("/notifications/dismiss/").status_code == 405
    assert Client().post("/notifications/dismiss/", {"ids": first.pk}).status_code == 302


def test_a_click_on_a_popup_reads_it_and_a_link_in_a_mail_does_not(viewer: User) -> None:
    first = post("First")
    path = f"/notifications/{first.pk}/opened/{mark_of(viewer_id=viewer.pk)}/"

    assert Client().get(path).status_code == 302
    assert unread_titles(viewer) == ["First"]
    assert Client().post(path).status_code == 204
    assert unread_titles(viewer) == []
    viewer.delete()
    assert Client().post(path).status_code == 204  # whose popup it was is gone


def test_popups_are_over_when_they_are_read_dismissed_recalled_or_expired(viewer: User) -> None:
    told, read, dismissed, recalled = (post(title, subject=f"release:{title}") for title in "abcd")
    expired = post("e", expires_at=LONG_AGO)
    test = Notification.objects.create(
        subject="test:1", subject_version=1, kind="announcement", title="A test", url="/", published_at=LONG_AGO
    )
    mark_read(viewer_id=viewer.pk, ids=[read.pk])
    dismiss(viewer_id=viewer.pk, ids=[dismissed.pk])
    revise_notification(subject="release:d", subject_version=2, recalled=True)
    ids = [one.pk for one in (told, read, dismissed, recalled, expired, test)]

    over = Client().get(f"/notifications/over/{mark_of(viewer_id=viewer.pk)}/", {"ids": ids})

    assert sorted(over.json()["over"]) == [read.pk, dismissed.pk, recalled.pk, expired.pk]
    assert Client().get("/notifications/over/forged/", {"ids": ids}).status_code == 404
    assert Client().get(f"/notifications/over/{mark_of(viewer_id=viewer.pk)}/").status_code == 400
