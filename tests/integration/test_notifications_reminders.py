"""Reminders: asked for on a title's page, posted minutes before the start, moved and cancelled with the release."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.commands import create_api_token, end_membership
from accounts.models import User
from broker.messages import from_body
from broker.models import OutboxMessage
from catalog.commands import edit_release, publish_release, recall_release
from catalog.models import Release
from notifications.models import Notification
from notifications.queries import inbox
from notifications.reminders.commands import forget, post_due_reminders, remind
from notifications.reminders.errors import NotUpcoming, TooManyReminders
from notifications.reminders.handlers import on_release_told
from notifications.reminders.models import Reminder, Upcoming
from tests.support.broker_app import handle_all, relay_all
from tests.support.catalog import a_draft

from .notifications_support import a_viewer, titles

pytestmark = pytest.mark.usefixtures("transactional_db")


def an_event(starts_in: timedelta, *, kind: str = "live_event", headline: str = "Midnight Marathon") -> Release:
    """A published release that starts after that time."""
    release = a_draft(kind=kind, headline=headline, starts_at=timezone.now() + starts_in)
    publish_release(release_id=release.pk, actor=None)
    carry_on()
    return release


def carry_on() -> None:
    relay_all()
    handle_all("starts")


def moved(release: Release, starts_in: timedelta | None) -> None:
    start = None if starts_in is None else timezone.now() + starts_in
    edit_release(actor=None, release_id=release.pk, changes={"starts_at": start})
    carry_on()


def start_comes_close(release: Release) -> None:
    """As if the time until ten minutes before had passed: for us, not for the studio."""
    Upcoming.objects.filter(pk=release.pk).update(starts_at=timezone.now() + timedelta(minutes=9))


def waiting(viewer: User, release: Release) -> None:
    remind(viewer_id=viewer.pk, release_id=release.pk)


@pytest.mark.parametrize("kind", ["live_event", "premiere"])
def test_whoever_asked_is_reminded_once_minutes_before_the_start(kind: str) -> None:
    asked, other = a_viewer(), a_viewer()
    release = an_event(timedelta(hours=2), kind=kind)
    waiting(asked, release)
    waiting(asked, release)
    assert post_due_reminders() == 0

    start_comes_close(release)

    assert [post_due_reminders(), post_due_reminders()] == [1, 0]
    (entry,) = inbox(viewer_id=asked.pk).entries
    assert (entry.title, entry.kind) == ("Starts soon: Midnight Marathon", "reminder")
    assert entry.url == f"{Upcoming.objects.get().url}?release={release.pk}"
    assert titles(other) == []


def test_a_start_that_is_moved_before_the_reminder_moves_the_reminder() -> None:
    viewer, release = a_viewer(), an_event(timedelta(minutes=30))
    waiting(viewer, release)

    moved(release, timedelta(days=1))
    assert post_due_reminders() == 0
    moved(release, timedelta(minutes=5))
    assert post_due_reminders() == 1
    assert titles(viewer) == ["Starts soon: Midnight Marathon"]


def test_a_start_that_is_moved_after_the_reminder_changes_its_card_and_reminds_again() -> None:
    viewer, release = a_viewer(), an_event(timedelta(minutes=5))
    waiting(viewer, release)
    post_due_reminders()

    moved(release, timedelta(days=1))
    assert [post_due_reminders(), post_due_reminders()] == [1, 0]
    assert titles(viewer) == ["Moved: Midnight Marathon"]

    start_comes_close(release)
    assert [post_due_reminders(), post_due_reminders()] == [1, 0]
    (entry,) = inbox(viewer_id=viewer.pk).entries
    assert (entry.title, entry.revision) == ("Starts soon: Midnight Marathon", 3)


def test_a_card_that_told_of_a_move_tells_of_the_next_one_and_of_the_end() -> None:
    viewer, release = a_viewer(), an_event(timedelta(minutes=5))
    waiting(viewer, release)
    post_due_reminders()
    for days in (1, 2):
        moved(release, timedelta(days=days))
        assert [post_due_reminders(), post_due_reminders()] == [1, 0]
    (entry,) = inbox(viewer_id=viewer.pk).entries
    assert (entry.title, entry.revision) == ("Moved: Midnight Marathon", 3)

    recall_release(release_id=release.pk, actor=None)
    carry_on()
    assert [post_due_reminders(), post_due_reminders()] == [1, 0]
    assert titles(viewer) == ["Cancelled: Midnight Marathon"]


@pytest.mark.parametrize("end", ["recalled", "without a start"])
def test_what_will_not_start_cancels_what_was_told_and_what_was_not(end: str) -> None:
    told, untold = a_viewer(), a_viewer()
    release = an_event(timedelta(minutes=5))
    waiting(told, release)
    post_due_reminders()
    waiting(untold, release)

    if end == "recalled":
        recall_release(release_id=release.pk, actor=None)
        carry_on()
    else:
        moved(release, None)
    assert [post_due_reminders(), post_due_reminders()] == [1, 0]

    (entry,) = inbox(viewer_id=told.pk).entries
    assert (entry.title, entry.recalled) == ("Cancelled: Midnight Marathon", True)
    assert titles(untold) == []
    assert not Reminder.objects.exists()


def test_a_late_replay_does_not_bring_back_what_was_recalled() -> None:
    release = an_event(timedelta(hours=1))
    recall_release(release_id=release.pk, actor=None)
    carry_on()
    published = OutboxMessage.objects.get(type="release.published")

    on_release_told(from_body(published.body))

    assert Upcoming.objects.get().recalled


def test_whoever_took_it_back_or_is_no_member_by_then_is_not_reminded() -> None:
    changed_mind, lapsed, child = a_viewer(), a_viewer(), a_viewer(is_kids=True)
    release = an_event(timedelta(hours=1))
    for viewer in (changed_mind, lapsed, child):
        waiting(viewer, release)
    assert forget(viewer_id=changed_mind.pk, release_id=release.pk)
    end_membership(user=lapsed)
    Upcoming.objects.update(maturity=16)
    start_comes_close(release)

    post_due_reminders()

    assert [titles(viewer) for viewer in (changed_mind, lapsed, child)] == [[], [], []]


def test_one_cannot_be_reminded_of_what_has_no_start_or_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = a_viewer()
    unpublished = a_draft(kind="live_event", starts_at=timezone.now() + timedelta(hours=1))
    without = a_draft()
    publish_release(release_id=without.pk, actor=None)
    begun = an_event(timedelta(minutes=1))
    Upcoming.objects.filter(pk=begun.pk).update(starts_at=timezone.now() - timedelta(seconds=1))

    for release_id in (unpublished.pk, without.pk, begun.pk, uuid4()):
        with pytest.raises(NotUpcoming):
            remind(viewer_id=viewer.pk, release_id=release_id)
    monkeypatch.setattr("notifications.reminders.commands.MOST", 0)
    with pytest.raises(TooManyReminders):
        waiting(viewer, an_event(timedelta(hours=1)))


def test_wishes_are_forgotten_when_the_start_is_long_past() -> None:
    viewer, release = a_viewer(), an_event(timedelta(minutes=5))
    waiting(viewer, release)
    post_due_reminders()
    Upcoming.objects.update(starts_at=timezone.now() - timedelta(hours=4))
    Reminder.objects.update(told_for=Upcoming.objects.get().starts_at)

    assert post_due_reminders() == 0
    assert not Reminder.objects.exists()
    assert Notification.objects.filter(kind="reminder").count() == 1


# --- Pages and API --------------------------------------------------------------------------------------------------
def test_the_button_on_the_title_page_asks_and_takes_back() -> None:
    viewer, release = a_viewer(), an_event(timedelta(hours=1))
    client = Client()
    client.force_login(viewer)
    page = client.get(f"/titles/{Release.objects.get(pk=release.pk).title.slug}/").content.decode()
    address = f"/notifications/fragments/remind/{release.pk}/"
    assert address in page

    assert "Remind me" in client.get(address).content.decode()
    assert "You will be reminded" in client.post(address, {"wanted": "on"}).content.decode()
    assert Reminder.objects.get().viewer == viewer
    assert "Remind me" in client.post(address).content.decode()
    assert not Reminder.objects.exists()
    assert client.get(f"/notifications/fragments/remind/{uuid4()}/").content.strip() == b""


def test_the_api_lists_asks_and_takes_back() -> None:
    viewer, release = a_viewer(), an_event(timedelta(hours=1))
    _, token = create_api_token(user=viewer, name="test")
    api = Client(headers={"Authorization": f"Bearer {token}"})

    put: Any = api.put(f"/api/v1/reminders/{release.pk}").json()
    assert (UUID(put["release_id"]), put["headline"]) == (release.pk, "Midnight Marathon")
    assert datetime.fromisoformat(put["starts_at"]) > timezone.now()
    assert api.get("/api/v1/reminders").json() == [put]
    assert api.delete(f"/api/v1/reminders/{release.pk}").status_code == 204
    assert api.get("/api/v1/reminders").json() == []
    assert api.put(f"/api/v1/reminders/{uuid4()}").json()["type"] == "/problems/not-upcoming"
