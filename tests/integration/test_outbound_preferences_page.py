"""The page of preferences as a browser uses it, and tests of endpoints."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User, ViewerProfile
from broker.models import OutboxMessage
from notifications.commands import subscribe
from notifications.models import Kind, Notification
from notifications.outbound import endpoints, sender, testing
from notifications.outbound.models import Channel, Delivery, Endpoint, Lane, Preference
from notifications.outbound.preferences import Preferences, preferences_of, save_preferences
from notifications.queries import inbox
from tests.support.outbound_sinks import MailSink

from .notifications_support import MOVIES, a_viewer

pytestmark = pytest.mark.usefixtures("transactional_db")
PAGE = "/notifications/preferences/"
EVERYTHING = [f"{kind}:{channel}" for kind in Kind.values for channel in Channel.values]


def browser(user: User, **headers: str) -> Client:
    client = Client(headers=headers)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def form(**changes: Any) -> dict[str, Any]:
    """What the page sends when nothing was touched, and what was."""
    untouched = {
        "on": EVERYTHING, "time_zone": "UTC", "digest": "never", "digest_at": "08:00", "escalate_after": "",
        "quiet_from": "22:00", "quiet_until": "07:00", "cap_mail": "", "cap_web_push": "", "cap_webhook": "",
    }  # fmt: skip
    return untouched | changes


def test_the_page_shows_what_is_held_and_saves_every_change_of_it() -> None:
    user = a_viewer()
    subscribe(viewer_id=user.pk, topic=MOVIES)
    client = browser(user, HX_Request="true")
    page = client.get(PAGE).content.decode()
    assert page.count(" checked") == len(EVERYTHING)
    assert f'name="topic.{MOVIES}"' in page

    sent = form(
        on=EVERYTHING[1:], is_quiet="on", time_zone="Asia/Kolkata", digest="daily", digest_at="18:30", cap_mail="5",
        escalate_after="15",
    )  # fmt: skip
    assert "Saved" in client.post(PAGE, sent | {f"topic.{MOVIES}": "mail,webhook"}).content.decode()

    held = preferences_of(viewer_id=user.pk)
    assert held.off == {("premiere", "mail")}
    assert (held.topics, held.caps, held.escalate_after) == ({MOVIES: ("mail", "webhook")}, {"mail": 5}, 15)
    assert held.quiet_hours is not None
    assert ViewerProfile.objects.get(pk=user.pk).time_zone == "Asia/Kolkata"
    page = client.get(PAGE).content.decode()
    assert '<option value="mail,webhook" selected>' in page
    assert 'value="18:30"' in page


def test_nothing_touched_leaves_the_preferences_as_they_are() -> None:
    user = a_viewer()
    assert browser(user).post(PAGE, form()).status_code == 302
    assert preferences_of(viewer_id=user.pk) == Preferences()


def test_the_entitlement_changes_only_with_the_time_zone() -> None:
    user = a_viewer()
    before = ViewerProfile.objects.get(pk=user.pk).entitlement_version
    browser(user).post(PAGE, form(cap_mail="3"))
    assert ViewerProfile.objects.get(pk=user.pk).entitlement_version == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"on": ["gossip:mail"]}, {"cap_mail": "0"}, {"cap_mail": "many"}, {"digest": "weekly"}, {"digest_at": "25:00"},
        {"is_quiet": "on", "quiet_from": ""}, {"is_quiet": "on", "quiet_from": "07:00"}, {"time_zone": "Mars/Olympus"},
        {"escalate_after": "-1"}, {f"topic.{MOVIES}": "pigeon"}, {"topic.title:nobody": "mail"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words_and_changes_nothing(wrong: dict[str, Any]) -> None:
    user = a_viewer()
    answer = browser(user, HX_Request="true").post(PAGE, form(**wrong))

    assert "Not saved" in answer.content.decode()
    assert not Preference.objects.exists()
    assert ViewerProfile.objects.get(pk=user.pk).time_zone == "UTC"


def test_after_one_click_the_page_says_that_mail_is_off_and_the_matrix_is_kept() -> None:
    user = a_viewer()
    endpoints.set_mail(viewer_id=user.pk, on=True)
    save_preferences(viewer_id=user.pk, preferences=Preferences(off=frozenset({("premiere", "mail")})))
    assert browser(user).get(PAGE).content.decode().count("matrix__off") == 2  # browsers and webhooks
    endpoints.unsubscribe(endpoint_id=Endpoint.objects.get().pk)

    assert browser(user).get(PAGE).content.decode().count("matrix__off") == 3
    assert preferences_of(viewer_id=user.pk).off == {("premiere", "mail")}


def test_a_test_goes_the_way_of_all_deliveries_whatever_is_preferred_and_stands_in_no_inbox(
    mails: MailSink,
) -> None:
    user = a_viewer()
    mail = endpoints.set_mail(viewer_id=user.pk, on=True)
    everything_off = frozenset((kind, channel) for kind in Kind.values for channel in Channel.values)
    save_preferences(viewer_id=user.pk, preferences=Preferences(off=everything_off))
    client = browser(user, HX_Request="true")
    assert "On its way" in client.post(f"/notifications/channels/{mail.pk}/test/").content.decode()
    assert OutboxMessage.objects.filter(type="deliveries.created").count() == 1
    assert Delivery.objects.get().lane == Lane.LIVE
    sender.drain()
    assert [str(one["Subject"]) for one in mails.mails] == ["This is a test"]

    result = f"/notifications/channels/{mail.pk}/test/{Notification.objects.get().pk}/"
    assert "Delivered" in client.get(result).content.decode()
    assert browser(a_viewer()).get(result).status_code == 404
    assert inbox(viewer_id=user.pk).entries == []


def test_tests_are_limited_and_go_to_ones_own_endpoints_that_are_on() -> None:
    user, other = a_viewer(), a_viewer()
    mail = endpoints.set_mail(viewer_id=user.pk, on=True)
    with pytest.raises(endpoints.UnknownEndpoint):
        testing.send_test(viewer_id=other.pk, endpoint_id=mail.pk)
    assert browser(other).post(f"/notifications/channels/{mail.pk}/test/").status_code == 404
    for _ in range(testing.MOST_AN_HOUR):
        testing.send_test(viewer_id=user.pk, endpoint_id=mail.pk)
    with pytest.raises(testing.TooManyTests):
        testing.send_test(viewer_id=user.pk, endpoint_id=mail.pk)
    answer = browser(user, HX_Request="true").post(f"/notifications/channels/{mail.pk}/test/")
    assert "try again later" in answer.content.decode()
    endpoints.set_mail(viewer_id=user.pk, on=False)
    with pytest.raises(testing.EndpointIsOff):
        testing.send_test(viewer_id=user.pk, endpoint_id=mail.pk)


def test_a_browser_that_is_turned_off_is_forgotten_and_nobody_elses_is() -> None:
    user, other = a_viewer(), a_viewer()
    for viewer in (user, other):
        Endpoint.objects.create(
            viewer=viewer, channel="web_push", address=f"https://push.example/{viewer.pk}", host="x"
        )
    client = browser(user)
    for viewer in (user, other, user):
        answer = client.post("/notifications/channels/browsers/off/", {"address": f"https://push.example/{viewer.pk}"})
        assert answer.status_code == 204

    assert list(Endpoint.objects.values_list("viewer_id", flat=True)) == [other.pk]
