"""Who followed a notification's link is counted: on our pages, and from a mail or a push without signing in."""

import pytest
from django.test import Client

from accounts.models import User
from notifications.commands import subscribe
from notifications.insight import marks
from notifications.insight.flushing import flush
from notifications.insight.models import Reach
from notifications.insight.tally import tally
from notifications.models import Notification

from .notifications_support import MOVIES, a_viewer, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer() -> User:
    """A member who follows Movies."""
    user = a_viewer()
    subscribe(viewer_id=user.pk, topic=MOVIES)
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def opened(notification: Notification) -> int:
    tally.tell()
    flush()
    return sum(Reach.objects.filter(notification=notification, stage="opened").values_list("viewers", flat=True))


def link(notification: Notification, viewer: User) -> str:
    return marks.marked_path(notification.pk).replace(marks.HERE, marks.mark_of(viewer_id=viewer.pk))


def test_following_a_link_on_our_pages_counts_once_for_its_viewer(viewer: User) -> None:
    notification = post("Followed")
    client = signed_in(viewer)
    for _ in range(3):
        assert client.post(f"/notifications/{notification.pk}/opened/").status_code == 204
    assert opened(notification) == 1


def test_who_does_not_see_a_notification_does_not_count(viewer: User) -> None:
    notification = post("Not for everybody")
    stranger = a_viewer()
    assert signed_in(stranger).post(f"/notifications/{notification.pk}/opened/").status_code == 204
    assert Client().get(link(notification, stranger)).status_code == 302
    assert Client().post(f"/notifications/{notification.pk}/opened/").status_code == 302  # to sign in
    assert opened(notification) == 0


def test_a_marked_link_counts_without_signing_in_and_leads_on(viewer: User) -> None:
    notification = post("From a mail")
    answer = Client().get(link(notification, viewer))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/titles/x/")
    assert opened(notification) == 1


def test_a_service_worker_tells_without_being_led_on(viewer: User) -> None:
    notification = post("From a push")
    assert Client(enforce_csrf_checks=True).post(link(notification, viewer)).status_code == 204
    assert opened(notification) == 1


def test_a_link_that_was_only_looked_at_ahead_or_has_a_forged_mark_leads_on_and_counts_nobody(viewer: User) -> None:
    notification = post("Looked at ahead")
    address = link(notification, viewer)
    assert Client().head(address).status_code == 302
    assert Client().get(address, headers={"Sec-Purpose": "prefetch;prerender"}).status_code == 302
    assert Client().get(address.replace(f"{viewer.pk}:", f"{viewer.pk + 1}:")).status_code == 302
    assert opened(notification) == 0
    assert Client().get(f"/notifications/{notification.pk + 1000}/opened/x/").status_code == 404
