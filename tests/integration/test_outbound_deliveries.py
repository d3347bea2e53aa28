"""Deliveries to real receivers: made once, sent with one key, retried, given up, broken and mended."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp.resolver import ThreadedResolver
from django.conf import LazySettings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test import Client
from py_vapid import Vapid
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts.models import User
from broker import replay
from broker.models import DeadLetter, OutboxMessage
from notifications.clock import clock
from notifications.commands import subscribe
from notifications.models import Notification
from notifications.outbound import claims, creation, endpoints, housekeeping, sealing, sender
from notifications.outbound.endings import tell_viewer
from notifications.outbound.models import Channel, Circuit, Delivery, Endpoint, Lane
from notifications.outbound.outcomes import SENT, Outcome, seconds_of
from notifications.outbound.web_push import keys
from notifications.outbound.webhook.channel import WebhookChannel
from notifications.queries import inbox
from tests.support.live_client import eventually
from tests.support.outbound_sinks import Browser, MailSink, WebSink, mail_sink, web_sink

from .notifications_support import MOVIES, a_viewer, post

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture(autouse=True)
def _quick(settings: LazySettings, tmp_path: Path) -> None:
    settings.OUTBOUND_ALLOW_PRIVATE = True
    settings.OUTBOUND_BACKOFF_SECONDS = settings.OUTBOUND_BACKOFF_CAP_SECONDS = 1e6  # never by itself
    settings.OUTBOUND_SECONDS = 0.5
    settings.OTT_DATA_DIR = tmp_path
    keys.vapid.cache_clear()
    keys.public_key.cache_clear()


@pytest.fixture
def sink() -> Iterator[WebSink]:
    with web_sink() as running:
        yield running


@pytest.fixture
def mails(settings: LazySettings) -> Iterator[MailSink]:
    with mail_sink() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        yield running


def follower(**options: Any) -> User:
    user = a_viewer(**options)
    subscribe(viewer_id=user.pk, topic=MOVIES)
    return user


def hook(sink: WebSink, path: str = "/ok", *, host: str = "127.0.0.1", user: User | None = None) -> Endpoint:
    viewer = user or follower()
    return endpoints.add_webhook(viewer_id=viewer.pk, address=sink.url(path, host))


def deliver(title: str = "Low Tide", **card: Any) -> Notification:
    """Post, make the deliveries, and send those that are due."""
    notification = post(title, **card)
    make(notification)
    sender.drain()
    return notification


def make(notification: Notification, lane: int = Lane.RELEASE) -> int:
    return creation.create(notification_id=notification.pk, lane=lane, first=0, last=creation.END)


def again() -> None:
    Delivery.objects.filter(state="open").update(next_attempt_at=Now())
    Circuit.objects.all().delete()
    sender.drain()


def only() -> Delivery:
    return Delivery.objects.get()


# --- Making them ----------------------------------------------------------------------------------------------------
def test_each_endpoint_of_those_who_are_told_gets_one_delivery_however_often_they_are_made(sink: WebSink) -> None:
    told, lapsed, child = follower(), follower(member=False), follower(is_kids=True)
    stranger, inactive = a_viewer(), follower()
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    for user in (told, lapsed, child, stranger, inactive):
        hook(sink, user=user)
    off = hook(sink, "/off", user=told)
    endpoints.switch(viewer_id=told.pk, endpoint_id=off.pk, on=False)
    endpoints.set_mail(viewer_id=told.pk, on=True)
    subscribe(viewer_id=told.pk, topic="category:sports")

    notification = post("Low Tide", MOVIES, "category:sports", maturity=16)

    assert [make(notification), make(notification)] == [2, 0]
    rows = Delivery.objects.order_by("channel").values_list("viewer_id", "channel", "lane")
    assert list(rows) == [(told.pk, "mail", Lane.RELEASE), (told.pk, "webhook", Lane.RELEASE)]


def test_of_two_that_make_the_same_at_once_one_fails_and_finds_all_there_when_it_is_tried_again(sink: WebSink) -> None:
    hook(sink)
    notification = post("Low Tide")
    failed: list[IntegrityError] = []

    def make_too() -> None:
        with pytest.raises(IntegrityError) as error:
            make(notification)
        failed.append(error.value)
        connection.close()

    with transaction.atomic():
        assert make(notification) == 1
        second = threading.Thread(target=make_too)
        second.start()
        eventually(somebody_waits_for_a_lock)
    second.join(30)

    assert len(failed) == 1
    assert make(notification) == 0
    assert Delivery.objects.count() == 1


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


def test_kinds_that_were_not_chosen_and_what_was_recalled_are_not_delivered(sink: WebSink) -> None:
    user = a_viewer()
    subscribe(viewer_id=user.pk, topic=MOVIES, kinds=["live_event"])
    hook(sink, user=user)

    assert make(post("Premiere")) == 0
    assert make(post("Recalled", kind="live_event", recalled=True)) == 0
    assert make(post("Live", kind="live_event")) == 1


def test_a_large_audience_is_made_in_shards_that_leave_nobody_out(
    sink: WebSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "SHARD", 2)
    for _ in range(5):
        hook(sink)
    notification = post("Low Tide")

    assert creation.plan(notification_id=notification.pk) == 3
    wanted = OutboxMessage.objects.filter(type="deliveries.wanted").order_by("id")
    made = [creation.create(**message.body["data"]) for message in wanted]
    assert made == [2, 2, 1]
    assert {message.routing_key for message in wanted} == {"deliveries.wanted.normal"}


# --- Webhooks -------------------------------------------------------------------------------------------------------
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

    assert (only().state, only().attempts) == ("open", 1)


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


# --- Where we do not go ---------------------------------------------------------------------------------------------
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


@pytest.mark.parametrize("host", ["127.0.0.1", "loopback.test", "mixed.test"])
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
    sink.redirect_to = "http://169.254.169.254/latest/meta-data/"
    hook(sink, "/redirect")
    deliver()

    assert len(sink.hits) == 1
    assert only().state == "dead"
    assert "redirects are not followed" in Endpoint.objects.get().disabled_reason


# --- Circuits, lanes, leases ----------------------------------------------------------------------------------------
def test_a_bug_of_our_own_is_tried_again_and_not_held_against_the_host(
    sink: WebSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumble(*_: object) -> Outcome:
        raise RuntimeError("a bug")

    user = follower()
    for number in range(2 * claims.FAILURES_TO_OPEN):
        hook(sink, f"/ok/{number}", user=user)
    with monkeypatch.context() as patch:
        patch.setattr(WebhookChannel, "send", stumble)
        deliver()
    assert set(Delivery.objects.values_list("state", "last_error")) == {("open", "RuntimeError: a bug")}
    assert not Circuit.objects.exists()

    again()

    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}


def test_an_open_circuit_keeps_back_what_goes_there_and_lets_one_probe_through(sink: WebSink) -> None:
    user = follower()
    for n in range(8):
        hook(sink, f"/500/{n}", user=user)
    hook(sink, "/ok", host="localhost", user=user)
    deliver()
    circuit = Circuit.objects.get()
    assert circuit.retry_at is not None
    assert sum(hit.path == "/ok" for hit in sink.hits) == 1

    # While it is open, nothing goes there, and nothing counts as an attempt
    before = len(sink.hits)
    Delivery.objects.filter(state="open").update(next_attempt_at=Now())
    sender.drain()
    assert len(sink.hits) == before
    assert set(Delivery.objects.filter(state="open").values_list("attempts", flat=True)) == {1}

    # When its time has come, one is tried
    Circuit.objects.update(retry_at=Now())
    Delivery.objects.filter(state="open").update(next_attempt_at=Now())
    sender.drain()
    assert len(sink.hits) == before + 1

    # And when that one is taken, the others follow
    for endpoint in Endpoint.objects.filter(address__contains="/500/"):
        Endpoint.objects.filter(pk=endpoint.pk).update(address=endpoint.address.replace("/500/", "/ok/"))
    Circuit.objects.update(retry_at=Now())
    Delivery.objects.filter(state="open").update(next_attempt_at=Now())
    sender.drain()
    assert not Circuit.objects.exists()
    Delivery.objects.filter(state="open").update(next_attempt_at=Now())
    sender.drain()
    assert not Delivery.objects.filter(state="open").exists()


def test_what_is_made_while_a_circuit_is_open_is_due_when_its_host_is_tried_again(sink: WebSink) -> None:
    user = follower()
    shut, working = hook(sink, user=user), hook(sink, host="localhost", user=user)
    tried_again = datetime.now(UTC) + timedelta(minutes=5)
    Circuit.objects.create(host=shut.host, failures=5, retry_at=tried_again)

    make(post("Low Tide"))

    due = dict(Delivery.objects.values_list("endpoint_id", "next_attempt_at"))
    assert due[shut.pk] == tried_again
    assert due[working.pk] < tried_again


def test_live_alerts_go_before_releases_and_these_before_recommendations(
    sink: WebSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "PER_HOST", 1)
    hook(sink)
    for lane in (Lane.DIGEST, Lane.RELEASE, Lane.LIVE):
        make(post(lane.name), lane=lane)
    sender.drain()

    assert [json.loads(hit.body)["data"]["title"] for hit in sink.hits] == ["LIVE", "RELEASE", "DIGEST"]


def test_whoever_lost_the_lease_settles_nothing(sink: WebSink) -> None:
    hook(sink)
    make(post("Low Tide"))
    take: dict[str, Any] = {"lane": Lane.RELEASE, "limit": 10, "per_host": 10, "held": {}}
    (stopped,) = claims.claim(**take).parcels
    assert claims.claim(**take).parcels == []
    Delivery.objects.update(next_attempt_at=Now())
    (current,) = claims.claim(**take).parcels

    claims.settle([(stopped, SENT)])
    assert (only().state, only().attempts) == ("open", 2)
    claims.settle([(current, SENT)])
    assert only().state == "sent"


def test_two_senders_at_once_send_each_delivery_once(sink: WebSink) -> None:
    user = follower()
    for n in range(8):
        hook(sink, f"/ok/{n}", user=user)
    for n in range(10):
        make(post(f"Number {n}"))
    threads = [threading.Thread(target=sender.drain) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(sink.keys()) == 80
    assert set(sink.keys().values()) == {1}


def test_what_was_recalled_has_expired_or_lost_its_endpoint_is_not_sent(sink: WebSink) -> None:
    hook(sink)
    for title in ("Recalled", "Expired", "Removed"):
        make(post(title))
    Notification.objects.filter(title="Recalled").update(recalled=True)
    Notification.objects.filter(title="Expired").update(expires_at=Now())
    Delivery.objects.filter(notification_id=Notification.objects.get(title="Removed").pk).update(endpoint_id=0)
    sender.drain()

    assert sink.hits == []
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["cancelled", "cancelled", "expired"]


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_senders_clock_that_is_wrong_neither_ends_nor_prolongs_anything(
    sink: WebSink, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    hook(sink)
    for title in ("In time", "Too late"):
        make(post(title))
    Notification.objects.filter(title="In time").update(expires_at=Now() + timedelta(minutes=30))
    Notification.objects.filter(title="Too late").update(expires_at=Now())
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + seconds)
    clock.set(time.time())  # as if the sender had just begun
    sender.drain()

    (hit,) = sink.hits
    assert json.loads(hit.body)["data"]["title"] == "In time"
    assert abs(int(hit.headers["webhook-timestamp"]) - right()) < 60  # receivers refuse what is five minutes off
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["expired", "sent"]


def test_a_hanging_host_does_not_hold_up_another(sink: WebSink, settings: LazySettings) -> None:
    settings.OUTBOUND_SECONDS = 3.0
    user = follower()
    hook(sink, "/hang", host="localhost", user=user)
    hook(sink, "/ok", user=user)
    for n in range(20):
        make(post(f"Number {n}"))
    started = time.time()
    sender.drain()

    times = [hit.at - started for hit in sink.hits if hit.path == "/ok"]
    assert len(times) == 20
    assert max(times) < 2.5


def test_deliveries_that_ended_long_ago_are_forgotten(sink: WebSink) -> None:
    hook(sink)
    deliver()
    make(post("Open"))
    Delivery.objects.filter(state="sent").update(finished_at=datetime.now(UTC) - timedelta(days=31))

    assert housekeeping.prune() == 1
    assert only().state == "open"


# --- Mail -----------------------------------------------------------------------------------------------------------
def test_a_mail_has_two_parts_and_headers_to_end_it_with_one_click(mails: MailSink) -> None:
    user = follower()
    endpoints.set_mail(viewer_id=user.pk, on=True)
    notification = deliver("Crème & brûlée", body="At <seven>")

    (mail,) = mails.mails
    assert (mail["To"], mail["Subject"]) == (user.email, "Crème & brûlée")
    assert mail["Message-ID"].startswith(f"<n{notification.pk}-e")
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "At <seven>" in text.get_content()
    assert "At &lt;seven&gt;" in html.get_content()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = str(mail["List-Unsubscribe"]).strip(" <>")
    assert address in text.get_content()

    # Then a mail program ends it without cookies; only looking does not
    path = address.partition("://")[2].partition("/")[2]
    stranger = Client(enforce_csrf_checks=True)
    assert stranger.get(f"/{path}").status_code == 200
    assert Endpoint.objects.get().disabled_at is None
    assert stranger.post(f"/{path}", {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Endpoint.objects.get().disabled_at is not None
    assert stranger.post(f"/{path}x").status_code == 404
    assert make(post("Next")) == 0


def test_mails_share_connections(mails: MailSink, settings: LazySettings) -> None:
    settings.OUTBOUND_SECONDS = 10.0  # many at once on a busy machine
    endpoints.set_mail(viewer_id=follower().pk, on=True)
    for n in range(60):
        make(post(f"Number {n}"))
    sender.drain()

    assert len(mails.mails) == 60
    assert mails.connections <= sender.PER_HOST


def test_550_switches_mail_off_and_451_is_tried_again(mails: MailSink) -> None:
    refused, later = follower(), follower()
    for user, address in ((refused, "550@example.org"), (later, "451@example.org")):
        User.objects.filter(pk=user.pk).update(email=address)
        endpoints.set_mail(viewer_id=user.pk, on=True)
    deliver()

    assert Delivery.objects.get(viewer_id=refused.pk).state == "dead"
    assert "550" in Endpoint.objects.get(viewer_id=refused.pk).disabled_reason
    assert Delivery.objects.get(viewer_id=later.pk).state == "open"
    assert Endpoint.objects.get(viewer_id=later.pk).disabled_at is None


def test_mail_goes_through_anymail_where_that_is_the_backend(settings: LazySettings, sink: WebSink) -> None:
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = {"POSTMARK_SERVER_TOKEN": "t", "POSTMARK_API_URL": sink.url("/500/")}
    endpoints.set_mail(viewer_id=follower().pk, on=True)
    deliver()

    sent = json.loads(sink.hits[0].body)
    assert sent["Subject"] == "Low Tide"
    assert (only().state, only().attempts) == ("open", 1)


# --- Browser pushes -------------------------------------------------------------------------------------------------
def test_a_push_can_be_read_by_the_browser_alone_and_is_signed(sink: WebSink) -> None:
    browser, user = Browser(), follower()
    endpoints.add_browser(
        viewer_id=user.pk, address=sink.url("/201/abc"), push_key=browser.push_key, push_auth=browser.push_auth
    )
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


@pytest.mark.parametrize(
    ("path", "state", "is_on"), [("/410", "dead", False), ("/503", "open", True), ("/413", "dead", True)]
)
def test_what_a_push_service_answers_decides(sink: WebSink, path: str, state: str, is_on: bool) -> None:
    browser, user = Browser(), follower()
    endpoints.add_browser(
        viewer_id=user.pk, address=sink.url(path), push_key=browser.push_key, push_auth=browser.push_auth
    )
    deliver()

    assert only().state == state
    assert (Endpoint.objects.get(channel=Channel.WEB_PUSH).disabled_at is None) == is_on


def test_our_key_is_drawn_once_and_kept_secret(tmp_path: Path) -> None:
    first = keys.public_key()
    keys.vapid.cache_clear()
    keys.public_key.cache_clear()

    assert keys.public_key() == first
    assert [file.name for file in tmp_path.iterdir()] == ["vapid_key"]
    assert (tmp_path / "vapid_key").stat().st_mode & 0o777 == 0o600
