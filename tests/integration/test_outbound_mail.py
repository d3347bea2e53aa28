"""Mail to real servers and providers: its parts, its connections, and what their failures lead to."""

import json
import threading
import time
from collections.abc import Callable

import psycopg
import pytest
from django.conf import LazySettings
from django.core.mail import get_connection
from django.db import OperationalError
from django.test import Client

from accounts.clock import database_now
from accounts.models import User
from broker.models import OutboxMessage
from notifications.outbound import channels, claims, endpoints, sender
from notifications.outbound.channels import SMTP_BACKEND
from notifications.outbound.mail import backend
from notifications.outbound.mail.backend import BackendChannel
from notifications.outbound.models import Circuit, Delivery, Endpoint
from tests.support.live_client import eventually
from tests.support.outbound_sinks import MailSink, WebSink, silent_server

from .notifications_support import post
from .outbound_support import SOON, again, deliver, follower, make, only

pytestmark = pytest.mark.usefixtures("transactional_db", "_quick_attempts")


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
    assert OutboxMessage.objects.get(type="endpoint.switched_off").body["data"]["viewer_id"] == refused.pk
    assert Delivery.objects.get(viewer_id=later.pk).state == "open"
    assert Endpoint.objects.get(viewer_id=later.pk).disabled_at is None


@pytest.mark.parametrize("how", ["hang", "reset", "garbage"])
def test_a_mail_server_that_fails_in_the_middle_is_tried_again_and_mails_after_it_arrive(
    mails: MailSink, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(sender, "PER_HOST", 1)  # each mail goes after another one
    unlucky, lucky = follower(), follower()
    User.objects.filter(pk=unlucky.pk).update(email=f"{how}@example.org")
    for user in (unlucky, lucky):
        endpoints.set_mail(viewer_id=user.pk, on=True)
    for title in ("First", "Second"):
        make(post(title))
    sender.drain()
    again()

    failed = Delivery.objects.filter(viewer_id=unlucky.pk)
    assert list(failed.values_list("state", "attempts")) == [("open", 2)] * 2
    assert all(delivery.last_error for delivery in failed)
    assert Endpoint.objects.get(viewer_id=unlucky.pk).disabled_at is None
    assert sorted((mail["To"], mail["Subject"]) for mail in mails.mails) == [
        (lucky.email, "First"),
        (lucky.email, "Second"),
    ]


def test_a_mail_server_that_never_says_a_word_is_tried_again(settings: LazySettings) -> None:
    with silent_server() as port:
        settings.EMAIL_BACKEND = SMTP_BACKEND
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        endpoints.set_mail(viewer_id=follower().pk, on=True)
        deliver()
        again()

    assert (only().state, only().attempts, only().last_error) == ("open", 2, "No answer in time")


CUT = """
    SELECT pg_terminate_backend(pid)
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND backend_start > %(since)s
    AND pid <> pg_backend_pid()
"""


@pytest.fixture
def provider(settings: LazySettings, sink: WebSink) -> Callable[[str], None]:
    """Sends mail through a provider's API; a function that says how that behaves."""
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"

    def behaves(how: str) -> None:
        settings.ANYMAIL = {"POSTMARK_SERVER_TOKEN": "t", "POSTMARK_API_URL": sink.url(f"{how}/")}

    return behaves


def message_ids(sink: WebSink) -> list[str]:
    """Of the mails that a provider was asked to send."""
    headers = [json.loads(hit.body)["Headers"] for hit in sink.hits]
    return [header["Value"] for mail in headers for header in mail if header["Name"] == "Message-ID"]


@pytest.mark.parametrize(
    "how", ["/500", "/429", "/hang", "/reset", "/garbage", pytest.param("/ok", id="an answer that is no JSON")]
)
def test_a_mail_provider_that_fails_is_tried_again_under_the_same_key(
    provider: Callable[[str], None], sink: WebSink, how: str
) -> None:
    provider(how)
    endpoints.set_mail(viewer_id=follower().pk, on=True)
    deliver()
    again()

    assert len(message_ids(sink)) == 2
    assert len(set(message_ids(sink))) == 1
    assert (only().state, only().attempts) == ("open", 2)
    assert "provider" in only().last_error


def test_a_mail_provider_is_not_asked_again_before_the_time_that_it_asked_for(
    provider: Callable[[str], None], sink: WebSink, settings: LazySettings
) -> None:
    settings.OUTBOUND_BACKOFF_SECONDS = 0.01
    provider("/429")
    endpoints.set_mail(viewer_id=follower().pk, on=True)
    deliver()

    assert 0 <= only().next_attempt_at.timestamp() - (sink.hits[0].at + int(sink.retry_after)) < SOON


@pytest.mark.parametrize(("code", "state"), [(0, "sent"), (406, "dead")])
def test_what_a_mail_provider_says_of_the_address_counts(
    provider: Callable[[str], None], sink: WebSink, settings: LazySettings, code: int, state: str
) -> None:
    settings.OUTBOUND_SECONDS = 10.0  # a busy machine takes some to load the provider's backend
    provider("/document")
    viewer = follower()
    message = f"Found inactive addresses: {viewer.email}. Inactive recipients are ones that bounced." if code else "OK"
    sink.document = {"ErrorCode": code, "Message": message, "MessageID": "1", "To": viewer.email}
    endpoints.set_mail(viewer_id=viewer.pk, on=True)
    deliver()

    assert (only().state, only().attempts) == (state, 1)
    assert (Endpoint.objects.get().disabled_at is not None) == bool(code)
    assert json.loads(sink.hits[0].body)["Subject"] == "Low Tide"
    told = OutboxMessage.objects.filter(type="endpoint.switched_off")
    assert [message.body["data"]["viewer_id"] for message in told] == ([viewer.pk] if code else [])


def test_a_sender_whose_session_is_cut_attempts_no_more_and_another_one_sends_all_under_the_same_keys(
    provider: Callable[[str], None], sink: WebSink, test_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider("/hang")
    for _ in range(4 * sender.PER_HOST):
        endpoints.set_mail(viewer_id=follower().pk, on=True)
    make(post("Low Tide"))
    begins, cut = database_now(), list[tuple[bool]]()

    def cut_when_many_are_under_way() -> None:
        eventually(lambda: len(sink.hits) == sender.PER_HOST)
        with psycopg.connect(test_database_url) as operator:
            cut.extend(operator.execute(CUT, {"since": begins}).fetchall())

    cutting = threading.Thread(target=cut_when_many_are_under_way)
    cutting.start()
    with pytest.raises(OperationalError, match="terminating connection"):
        sender.drain()
    cutting.join()
    assert cut == [(True,)]
    assert len(sink.hits) <= 2 * sender.PER_HOST
    assert not [record for record in caplog.records if record.name == sender.logger.name]

    # When their leases are over
    provider("/document")
    everybody = ",".join(User.objects.values_list("email", flat=True))
    sink.document = {"ErrorCode": 0, "Message": "OK", "MessageID": "1", "To": everybody}
    again()

    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
    assert len(set(message_ids(sink))) == 4 * sender.PER_HOST


def test_a_mail_provider_that_is_slow_is_asked_for_many_mails_at_once(
    provider: Callable[[str], None], sink: WebSink, settings: LazySettings
) -> None:
    settings.OUTBOUND_SECONDS = 30.0
    provider("/hang")
    for _ in range(sender.PER_HOST):
        endpoints.set_mail(viewer_id=follower().pk, on=True)

    def answer_when_all_have_asked() -> None:
        try:
            eventually(lambda: len(sink.hits) == sender.PER_HOST)
        finally:
            sink.release.set()

    answers = threading.Thread(target=answer_when_all_have_asked)
    answers.start()
    deliver()
    answers.join()

    assert len(sink.hits) == sender.PER_HOST  # at the same time: none was answered before
    assert all("answered 200" in error for error in Delivery.objects.values_list("last_error", flat=True))


def test_mail_that_no_thread_could_begin_is_handed_back_and_not_held_against_the_provider(
    provider: Callable[[str], None], sink: WebSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider("/hang")
    monkeypatch.setattr(backend, "get_connection", lambda timeout: get_connection(timeout=60))  # for one that waits
    monkeypatch.setattr(
        channels, "BackendChannel", lambda *, at_once, seconds: BackendChannel(at_once=1, seconds=seconds)
    )
    monkeypatch.setattr(claims, "UNTRIED_SECONDS", 1e6)
    for _ in range(3):
        endpoints.set_mail(viewer_id=follower().pk, on=True)
    deliver()

    assert len(sink.hits) == 1
    assert sorted(Delivery.objects.values_list("attempts", "last_error")) == [
        (0, ""),
        (0, ""),
        (1, "The mail provider did not answer in time"),
    ]
    assert Circuit.objects.get().failures == 1


def test_djangos_own_backends_are_given_one_mail_after_the_other(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.OUTBOUND_SECONDS = 30.0
    under_way: list[object] = []
    most: list[int] = []

    def send_messages(_backend: object, messages: list[object]) -> int:
        under_way.extend(messages)
        most.append(len(under_way))
        time.sleep(0.01)  # for others to come in
        under_way.clear()
        return 1

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", send_messages)
    for _ in range(sender.PER_HOST):
        endpoints.set_mail(viewer_id=follower().pk, on=True)
    deliver()

    assert most == [1] * sender.PER_HOST
