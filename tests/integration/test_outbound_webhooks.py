"""Webhooks to a real receiver: signed, tried again under the same key, given up, never sent to an address of ours."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp.resolver import ThreadedResolver
from django.conf import LazySettings
from django.db import connection
from django.db.models.functions import Now
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from broker import replay
from broker.models import DeadLetter, OutboxMessage
from notifications.outbound import endpoints, sealing
from notifications.outbound.endings import tell_viewer
from notifications.outbound.models import Delivery, Endpoint
from notifications.outbound.outcomes import seconds_of
from notifications.queries import inbox
from tests.support.outbound_sinks import WebSink

from .notifications_support import a_viewer, post
from .outbound_support import again, deliver, hook, make, only

pytestmark = pytest.mark.usefixtures("transactional_db", "_quick_attempts")


def test_a_webhook_is_signed_so_that_the_standard_verifier_takes_it(sink: WebSink) -> None:
    endpoint = hook(sink)
    notification = deliver("Low Tide")

    hit = sink.hits[0]
    said = Webhook(endpoint.secret).verify(hit.body, hit.headers)
    assert (said["type"], said["data"]["title"], said["data"]["id"]) == (
        "notification.posted", "Low Tide", notification.pk
    )  # fmt: skip
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(hit.body + b" ", hit.headers)
    assert (only().state, only().attempts, only().lease_token) == ("sent", 1, None)


def test_while_a_secret_is_replaced_both_verify_and_afterwards_the_new_one_alone(sink: WebSink) -> None:
    old = hook(sink)
    new = endpoints.rotate_secret(viewer_id=old.viewer_id, endpoint_id=old.pk)
    deliver("While both are valid")
    Endpoint.objects.update(previous_until=Now())
    deliver("Afterwards")

    for hit in sink.hits:
        Webhook(new.secret).verify(hit.body, hit.headers)
    Webhook(old.secret).verify(sink.hits[0].body, sink.hits[0].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old.secret).verify(sink.hits[1].body, sink.hits[1].headers)


def stored_secret() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM notifications_endpoint")
        return str(cursor.fetchone()[0])


def test_a_secret_is_sealed_in_the_database_and_outlives_a_replaced_key(sink: WebSink, settings: LazySettings) -> None:
    endpoint = hook(sink)
    assert endpoint.secret.startswith("whsec_")
    assert endpoint.secret[6:] not in stored_secret()

    # The key is replaced: the one before it still opens, and `prepare` seals anew
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key"
    sealing.unseal.cache_clear()
    before = stored_secret()
    assert [sealing.reseal(), sealing.reseal()] == [1, 0]
    assert stored_secret() != before
    settings.SECRET_KEY_FALLBACKS = []
    sealing.unseal.cache_clear()
    deliver()
    Webhook(endpoint.secret).verify(sink.hits[0].body, sink.hits[0].headers)

    # A key that is gone for good: nothing leaves unsigned, and the owner can make a new secret
    settings.SECRET_KEY = "a third key"
    sealing.unseal.cache_clear()
    deliver("Nobody can sign this")
    assert len(sink.hits) == 1
    assert "replace it" in Delivery.objects.get(state="open").last_error
    new = endpoints.rotate_secret(viewer_id=endpoint.viewer_id, endpoint_id=endpoint.pk)
    again()
    deliver("Signed anew")
    assert len(sink.hits) == 3
    for hit in sink.hits[1:]:
        Webhook(new.secret).verify(hit.body, hit.headers)


def test_secrets_from_before_there_were_seals_are_sealed_when_the_database_is_prepared(sink: WebSink) -> None:
    hook(sink)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notifications_endpoint SET secret = 'whsec_MDEy'")
    assert sealing.reseal() == 1
    assert "whsec_" not in stored_secret()
    assert Endpoint.objects.get().secret == "whsec_MDEy"


@pytest.mark.parametrize("path", ["/500", "/reset", "/garbage", "/hang", "/404"])
def test_what_fails_for_now_is_tried_again_under_the_same_key(sink: WebSink, path: str) -> None:
    hook(sink, path)
    deliver()
    assert (only().state, only().attempts) == ("open", 1)
    assert only().last_error
    again()

    assert only().attempts == 2
    assert list(sink.keys().values()) == [2]


def test_retry_after_is_honoured_in_seconds_and_as_a_date(sink: WebSink, settings: LazySettings) -> None:
    settings.OUTBOUND_BACKOFF_SECONDS = 0.01
    hook(sink, "/429")
    deliver()

    wait = (only().next_attempt_at - datetime.now(UTC)).total_seconds()
    assert 6 < wait <= 7.1
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 58 < seconds_of(date) <= 60
    assert [seconds_of(text) for text in ("x", "-1", None, "1e999", "99999999")] == [0, 0, 0, 0, 3600]


def test_a_name_that_does_not_resolve_is_tried_again(sink: WebSink) -> None:
    hook(sink, host="nowhere.invalid")
    deliver()
    again()

    assert (only().state, only().attempts) == ("open", 2)
    assert "nowhere.invalid" in only().last_error


def test_after_the_last_attempt_it_is_a_dead_letter_that_a_replay_delivers(
    sink: WebSink, settings: LazySettings
) -> None:
    settings.OUTBOUND_MAX_ATTEMPTS = 2
    endpoint = hook(sink, "/500")
    deliver()
    again()
    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.origin, letter.attempts) == ("delivery_failed", "delivery:webhook", 2)
    assert only().state == "dead"
    assert Endpoint.objects.get().disabled_at is None

    Endpoint.objects.filter(pk=endpoint.pk).update(address=sink.url("/ok"))
    replay.replay(dead_letter_id=letter.pk, actor="test")
    again()

    assert (only().state, only().attempts) == ("sent", 1)
    assert list(sink.keys().values()) == [3]
    assert OutboxMessage.objects.filter(type="deliveries.created", body__data__count=1).exists()


def test_410_ends_at_once_switches_the_endpoint_off_and_tells_the_viewer(sink: WebSink) -> None:
    endpoint = hook(sink, "/410")
    deliver()

    assert (only().state, only().attempts) == ("dead", 1)
    assert DeadLetter.objects.get().reason == "delivery_failed"
    assert Endpoint.objects.get().disabled_reason == "It answered 410: it is gone."
    told = OutboxMessage.objects.get(type="endpoint.switched_off").body["data"]
    del told["channel"]
    for _ in range(2):
        tell_viewer(version=1, **told)
    titles = [entry.title for entry in inbox(viewer_id=endpoint.viewer_id).entries]
    assert [title for title in titles if title.startswith("Switched off: Webhook")] == titles[:1]

    assert make(post("Next")) == 0
    endpoints.switch(viewer_id=endpoint.viewer_id, endpoint_id=endpoint.pk, on=True)
    assert make(post("After")) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1/", "http://[::1]/", "http://2130706433/",
        "http://0x7f.1/", "http://10.0.0.8/", "http://[::ffff:192.168.0.1]/", "http://0.0.0.0/", "http://[fe80::1]/",
        "http://[64:ff9b::7f00:1]/", "http://224.0.0.1/", "http://localhost/", "http://100.64.0.1/",
        "http://user:pw@example.org/", "ftp://example.org/", "http://", "http://exa mple.org/", "http://x:99999/",
    ],
)  # fmt: skip
def test_a_webhook_to_an_address_of_our_own_is_refused_when_it_is_added(settings: LazySettings, address: str) -> None:
    settings.OUTBOUND_ALLOW_PRIVATE = False
    user = a_viewer()

    with pytest.raises(endpoints.InvalidEndpoint):
        endpoints.add_webhook(viewer_id=user.pk, address=address)


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "loopback.test", "mixed.test"])
def test_what_resolves_to_an_address_of_our_own_is_refused_when_it_is_connected_to(
    sink: WebSink, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    async def resolve(self: Any, name: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        found = ["127.0.0.1"] if name == "loopback.test" else ["93.184.216.34", "127.0.0.1"]
        plain = {"hostname": name, "port": port, "family": 2, "proto": 6, "flags": 0}
        return [{**plain, "host": address} for address in found]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    endpoint = hook(sink)
    Endpoint.objects.filter(pk=endpoint.pk).update(address=sink.url("/ok", host))
    settings.OUTBOUND_ALLOW_PRIVATE = False
    deliver()

    assert sink.hits == []
    assert only().state == "dead"
    assert "is not a public address" in Endpoint.objects.get().disabled_reason


def test_a_redirect_is_not_followed(sink: WebSink) -> None:
    sink.redirect_to = sink.url("/elsewhere")
    hook(sink, "/redirect")
    deliver()

    assert [hit.path for hit in sink.hits] == ["/redirect"]
    assert only().state == "dead"
    assert "redirects are not followed" in Endpoint.objects.get().disabled_reason
