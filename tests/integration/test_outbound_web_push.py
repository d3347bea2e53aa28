"""Browser pushes to a push service that reads them, and what its answers lead to."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from py_vapid import Vapid

from notifications.outbound import endpoints, sender
from notifications.outbound.models import Channel, Endpoint, Lane
from notifications.outbound.web_push import keys
from tests.support.outbound_sinks import Browser, WebSink

from .notifications_support import post
from .outbound_support import SOON, again, deliver, follower, make, only

pytestmark = pytest.mark.usefixtures("transactional_db", "_quick_attempts")


def subscribed_browser(address: str) -> Browser:
    browser = Browser()
    endpoints.add_browser(
        viewer_id=follower().pk, address=address, push_key=browser.push_key, push_auth=browser.push_auth
    )
    return browser


def test_a_push_can_be_read_by_the_browser_alone_and_is_signed(sink: WebSink) -> None:
    browser = subscribed_browser(sink.url("/201/abc"))
    notification = post("Low Tide", kind="live_event", expires_at=datetime.now(UTC) + timedelta(minutes=10))
    make(notification, lane=Lane.LIVE)
    sender.drain()

    (hit,) = sink.hits
    said = json.loads(browser.read(hit.body))
    assert (said["title"], said["url"], said["tag"]) == ("Low Tide", "/titles/x/", f"notification:{notification.pk}")
    assert (hit.headers["urgency"], hit.headers["content-encoding"]) == ("high", "aes128gcm")
    assert 590 < int(hit.headers["ttl"]) <= 600
    assert len(hit.headers["topic"]) == 32
    assert Vapid.verify(hit.headers["authorization"])
    assert f"k={keys.public_key()}" in hit.headers["authorization"]
    with pytest.raises(Exception, match="InvalidTag"):
        Browser().read(hit.body)
    assert only().state == "sent"


@pytest.mark.parametrize(("path", "is_on"), [("/410", False), ("/413", True)])
def test_what_a_push_service_refuses_for_good_ends_at_once(sink: WebSink, path: str, is_on: bool) -> None:
    subscribed_browser(sink.url(path))
    deliver()

    assert (only().state, only().attempts) == ("dead", 1)
    assert (Endpoint.objects.get(channel=Channel.WEB_PUSH).disabled_at is None) == is_on


@pytest.mark.parametrize("path", ["/500", "/503", "/429", "/hang", "/reset", "/garbage"])
def test_a_push_service_that_fails_is_tried_again_with_the_same_topic(sink: WebSink, path: str) -> None:
    subscribed_browser(sink.url(path))
    deliver()
    assert (only().state, only().attempts) == ("open", 1)
    assert only().last_error
    again()

    assert (only().state, only().attempts) == ("open", 2)
    assert Endpoint.objects.get(channel=Channel.WEB_PUSH).disabled_at is None
    assert len(sink.hits) == 2
    assert len({hit.headers["topic"] for hit in sink.hits}) == 1


def test_a_push_service_is_not_asked_again_before_the_time_that_it_asked_for(
    sink: WebSink, settings: LazySettings
) -> None:
    settings.OUTBOUND_BACKOFF_SECONDS = 0.01
    subscribed_browser(sink.url("/429"))
    deliver()

    assert 0 <= only().next_attempt_at.timestamp() - (sink.hits[0].at + int(sink.retry_after)) < SOON


def test_our_key_is_drawn_once_and_kept_secret(tmp_path: Path) -> None:
    first = keys.public_key()
    keys.vapid.cache_clear()
    keys.public_key.cache_clear()

    assert keys.public_key() == first
    assert [file.name for file in tmp_path.iterdir()] == ["vapid_key"]
    assert (tmp_path / "vapid_key").stat().st_mode & 0o777 == 0o600
