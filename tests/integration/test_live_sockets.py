"""The live protocol over real sockets: order, resume, healing, read state, and clients that misbehave."""

import json
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection as database
from django.test import Client as Browser
from websockets.exceptions import ConnectionClosed, InvalidStatus

from accounts.clock import database_now
from accounts.commands import end_membership, revoke_api_token, start_membership, update_profile
from accounts.models import Membership, User
from broker.messages import Message
from notifications.commands import mark_read, revise_notification, subscribe, unsubscribe
from notifications.models import Epoch
from notifications.queries import inbox
from notifications.tasks import fan_out

from .live_support import Client, LiveServer, push
from .notifications_support import LONG_AGO, MOVIES, a_viewer, post

pytestmark = pytest.mark.django_db(transaction=True)
EPOCH = uuid.UUID(int=7)  # the same for all tests: it names the database, and they share one


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[LiveServer]:
    url = f"{settings.DATABASE_URL.rpartition('/')[0]}/{database.settings_dict['NAME']}"
    running = LiveServer({"DATABASE_URL": url}).wait_until_ready()
    yield running
    running.stop()


@pytest.fixture
def viewer() -> User:
    Epoch.objects.create(value=EPOCH)
    user = a_viewer()
    subscribe(viewer_id=user.pk, topic=MOVIES)
    return user


def a_session(user: User) -> SessionStore:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return session


def test_a_posting_reaches_every_tab_at_once_in_order(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as one, Client(server, viewer) as two:
        for tab in (one, two):
            assert tab.resume()["positions"] == {MOVIES: 0}

        for title in ("First", "Second", "Third"):
            push(post(title))

        assert one.titles(3) == two.titles(3) == ["First", "Second", "Third"]
        assert one.positions == {MOVIES: 3}


def test_what_was_missed_comes_after_the_welcome_once_and_then_a_ping(server: LiveServer, viewer: User) -> None:
    page = inbox(viewer_id=viewer.pk)
    post("First")
    post("Second")

    with Client(server, viewer) as client:
        welcome = client.resume(page.epoch, page.positions)
        frames = [client.receive(2) for _ in range(3)]

    assert (welcome["type"], welcome["positions"], welcome["unread"]) == ("welcome", {MOVIES: 0}, 2)
    assert [frame.get("title", frame["type"]) for frame in frames] == ["First", "Second", "ping"]
    assert client.positions == {MOVIES: 2}


def test_a_resume_with_what_is_held_brings_nothing_twice(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        push(post("Seen"))
        client.titles(1)
    post("Missed")

    with Client(server, viewer) as again:
        again.resume(client.epoch, client.positions)
        assert again.titles(1) == ["Missed"]
        push(post("Live"))
        assert again.titles(1) == ["Live"]


def test_hints_that_arrive_out_of_order_and_twice_are_put_in_order(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        first, second, third = post("First"), post("Second"), post("Third")

        for notification in (third, first, third, second, first):
            push(notification)

        assert client.titles(3) == ["First", "Second", "Third"]
        assert client.hears_nothing()


def test_a_posting_that_no_hint_tells_of_arrives_within_three_seconds(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        post("Never pushed")

        assert client.titles(1, within=3) == ["Never pushed"]


def test_a_hole_is_filled_as_soon_as_the_next_hint_shows_it(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        started = time.monotonic()
        post("Lost")
        push(post("Next"))

        assert client.titles(2) == ["Lost", "Next"]
        assert time.monotonic() - started < 1.5


def test_a_notification_by_three_topics_comes_once(server: LiveServer, viewer: User) -> None:
    for topic in ("studio:aurora", "title:x"):
        subscribe(viewer_id=viewer.pk, topic=topic)
    with Client(server, viewer) as client:
        client.resume()
        push(post("Once", MOVIES, "studio:aurora", "title:x"))

        assert client.titles(1) == ["Once"]
        assert client.hears_nothing()


def test_a_recall_changes_the_card_in_place(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        push(post("Leaked", subject="release:a"))
        shown = client.next("notification")
        recalled = revise_notification(subject="release:a", subject_version=2, recalled=True)
        assert recalled is not None
        push(recalled)

        changed = client.next("notification")

    assert (changed["id"], changed["revision"], changed["recalled"]) == (shown["id"], 2, True)


def test_an_early_hint_that_shows_a_later_state_is_not_repeated(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        posted = post("Tuesday", subject="release:a")
        first = {"notification_id": posted.pk, "revision": 1, "positions": {MOVIES: 1}}
        revised = revise_notification(subject="release:a", subject_version=2, title="Wednesday")
        assert revised is not None

        fan_out(Message(type="notification.posted", data=first, key="k", exchange="notifications", routing_key=""))
        push(revised)

        assert client.titles(1) == ["Wednesday"]
        assert client.hears_nothing()


def test_reading_in_one_tab_is_told_to_the_other(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as one, Client(server, viewer) as two:
        one.resume()
        two.resume()
        push(post("Read me"))
        ids = [one.next("notification")["id"]]
        two.titles(1)

        one.send(type="read", ids=ids)

        for tab in (one, two):
            assert tab.next("read") == {"type": "read", "ids": ids, "positions": {}, "unread": 0}


def test_a_read_that_no_hint_tells_of_is_found_by_the_tick(
    server: LiveServer, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(server, viewer) as client:
        client.resume()
        posted = post("Read elsewhere")
        push(posted)
        client.titles(1)
        monkeypatch.setattr("notifications.live.push._send_soon", lambda message: None)

        mark_read(viewer_id=viewer.pk, ids=[posted.pk])

        told = client.next("read", within=3)
        assert (told["ids"], told["unread"]) == ([posted.pk], 0)


def test_a_read_of_nothing_answers_the_count(server: LiveServer, viewer: User) -> None:
    post("Unread")
    with Client(server, viewer) as client:
        client.resume()
        client.send(type="read", ids=[])

        assert client.next("read") == {"type": "read", "ids": [], "positions": {}, "unread": 1}


def test_reading_up_to_a_position_clears_the_count(server: LiveServer, viewer: User) -> None:
    post("Unread")
    with Client(server, viewer) as client:
        client.resume()
        client.send(type="read", positions={MOVIES: 10**15})

        assert client.next("read") == {"type": "read", "ids": [], "positions": {MOVIES: 1}, "unread": 0}


def test_subscribing_resets_open_connections_and_the_new_topic_is_live_after_that(
    server: LiveServer, viewer: User
) -> None:
    with Client(server, viewer) as client:
        client.resume()
        subscribe(viewer_id=viewer.pk, topic="category:sports")

        assert client.next("reset") == {"type": "reset", "reason": "entitlement"}

        page = inbox(viewer_id=viewer.pk)
        client.resume(page.epoch, page.positions)
        push(post("Match", "category:sports"))
        assert client.titles(1) == ["Match"]


def test_after_unsubscribing_an_open_connection_gets_no_more(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        unsubscribe(viewer_id=viewer.pk, topic=MOVIES)
        client.next("reset")
        client.resume()
        push(post("Too late"))

        assert client.hears_nothing()


def test_without_a_membership_nothing_comes_and_the_connection_lives(server: LiveServer, viewer: User) -> None:
    Membership.objects.filter(user=viewer).delete()
    with Client(server, viewer) as client:
        client.resume()
        push(post("For members"))

        assert client.hears_nothing()
        client.send(type="read", ids=[])
        assert client.next("read")["unread"] == 0


def test_a_membership_that_ends_while_connected_ends_the_flow_at_that_posting(server: LiveServer, viewer: User) -> None:
    Membership.objects.filter(user=viewer).delete()
    with Client(server, viewer) as client:
        start_membership(user=viewer)
        client.resume()
        push(post("Paid"))
        assert client.titles(1) == ["Paid"]

        end_membership(user=viewer)
        assert client.next("reset", within=3)["reason"] == "entitlement"
        page = inbox(viewer_id=viewer.pk)
        client.resume(page.epoch, page.positions)
        push(post("Unpaid"))
        assert client.hears_nothing()

        start_membership(user=viewer)
        assert client.next("reset", within=3)["reason"] == "entitlement"
        page = inbox(viewer_id=viewer.pk)
        client.resume(page.epoch, page.positions)
        push(post("Paid again"))
        assert client.titles(1) == ["Paid again"]


def test_a_period_that_runs_out_is_noticed_without_anybody_saying_so(server: LiveServer, viewer: User) -> None:
    soon = database_now() + timedelta(seconds=1)
    Membership.objects.filter(user=viewer).update(ends_at=soon)
    with Client(server, viewer) as client:
        client.resume()
        while database_now() < soon:
            time.sleep(0.05)
        push(post("After the end"))

        assert client.next("reset", within=3.5)["reason"] == "entitlement"


def test_a_profile_that_becomes_a_childs_is_filtered_at_once(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        update_profile(user=viewer, is_kids=True)
        client.next("reset", within=3)
        client.resume()
        push(post("Wolves", maturity=12))
        push(post("Bears", maturity=0))

        assert client.titles(1) == ["Bears"]


def test_what_expired_before_it_could_be_pushed_is_not_pushed(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        push(post("Over", expires_at=LONG_AGO))
        push(post("Current"))

        assert client.titles(1) == ["Current"]


@pytest.mark.parametrize(
    ("epoch", "positions", "reason"),
    [
        (f"{uuid.UUID(int=1)}.1", {MOVIES: 0}, "epoch"),
        (f"{EPOCH}.0", {MOVIES: 0}, "entitlement"),
        ("garbage", {MOVIES: 0}, "epoch"),
        (None, {MOVIES: 5}, "ahead"),
        (None, {}, "positions"),
        (None, {"category:other": 3}, "positions"),
    ],
)
def test_positions_from_which_one_cannot_go_on_are_reset(
    server: LiveServer, viewer: User, epoch: str | None, positions: dict[str, int], reason: str
) -> None:
    with Client(server, viewer) as client:
        answer = client.resume(epoch or inbox(viewer_id=viewer.pk).epoch, positions)
        assert answer == {"type": "reset", "reason": reason}

        assert client.resume()["type"] == "welcome"


def test_more_than_can_be_caught_up_with_is_a_reset(server: LiveServer, viewer: User) -> None:
    page = inbox(viewer_id=viewer.pk)
    for number in range(settings.LIVE_MAX_MISSING + 1):
        post(str(number))

    with Client(server, viewer) as client:
        assert client.resume(page.epoch, page.positions)["reason"] == "too-many"


def test_forged_topics_among_the_positions_change_nothing(server: LiveServer, viewer: User) -> None:
    page = inbox(viewer_id=viewer.pk)
    forged = {f"category:{number}": 2**63 - 1 for number in range(1000)}
    post("Mine")

    with Client(server, viewer) as client:
        welcome = client.resume(page.epoch, page.positions | forged)
        assert welcome["positions"] == {MOVIES: 0}
        assert client.titles(1) == ["Mine"]
        push(post("Not mine", "category:5"))
        assert client.hears_nothing()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "not-json"),
        ("[" * 5000, "not-json"),
        (b"\x00\x01", "not-text"),
        ('"resume"', "malformed"),
        ('{"type": "dance"}', "unknown-type"),
        ("{}", "unknown-type"),
        ('{"type": "resume", "positions": {"a": 1}}', "malformed"),
        ('{"type": "resume", "epoch": "x", "positions": {"a": -1}}', "malformed"),
        ('{"type": "resume", "epoch": "x", "positions": {"a": 9223372036854775808}}', "malformed"),
        ('{"type": "resume", "epoch": "x", "positions": {"a": "1"}}', "malformed"),
        ('{"type": "read", "ids": ["1"]}', "malformed"),
        ('{"type": "read", "ids": [0]}', "malformed"),
        (json.dumps({"type": "read", "ids": list(range(1, 300))}), "malformed"),
        (json.dumps({"type": "ack", "positions": {str(n): n for n in range(3000)}}), "malformed"),
    ],
)
def test_a_frame_that_cannot_be_understood_gets_an_error_and_the_connection_lives(
    server: LiveServer, viewer: User, frame: str | bytes, code: str
) -> None:
    with Client(server, viewer) as client:
        client.socket.send(frame)
        assert client.next("error")["code"] == code

        assert client.resume()["type"] == "welcome"


def test_an_oversized_frame_closes_the_connection(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.socket.send(json.dumps({"type": "ack", "padding": "x" * settings.LIVE_MAX_FRAME_BYTES}))

        assert client.close_code() == 1009


def test_a_flood_of_frames_closes_the_connection(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        with suppress(ConnectionClosed):
            for _ in range(2000):
                client.send(type="pong")

        assert client.close_code() == 1008


def test_a_reader_that_does_not_read_is_closed_and_finds_everything_when_it_comes_back(
    server: LiveServer, viewer: User
) -> None:
    slow_socket = socket.create_connection(("127.0.0.1", server.port))
    slow_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
    page = inbox(viewer_id=viewer.pk)
    with Client(server, viewer, sock=slow_socket) as slow, Client(server, viewer) as quick:
        slow.resume()
        quick.resume()
        for number in range(150):
            push(post(str(number), body="x" * 60_000))
            assert quick.titles(1) == [str(number)]

        assert slow.close_code(20) in {1013, 1006}
    with Client(server, viewer) as back:
        back.resume(page.epoch, page.positions)
        assert back.titles(150) == [str(number) for number in range(150)]


def test_a_browser_with_a_session_from_our_own_page_is_let_in(server: LiveServer, viewer: User) -> None:
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={a_session(viewer).session_key}"}
    with Client(server, viewer, additional_headers=headers, origin=f"http://{server.url}") as client:
        assert client.resume()["type"] == "welcome"


@pytest.mark.parametrize("origin", ["https://evil.example", None])
def test_a_session_from_another_sites_page_is_refused(server: LiveServer, viewer: User, origin: str | None) -> None:
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={a_session(viewer).session_key}"}
    with pytest.raises(InvalidStatus), Client(server, viewer, additional_headers=headers, origin=origin):
        pass


@pytest.mark.parametrize("headers", [{}, {"Cookie": "sessionid=nonsense"}, {"Authorization": "Bearer nonsense"}])
def test_who_is_not_signed_in_is_told_so(server: LiveServer, viewer: User, headers: dict[str, str]) -> None:
    with Client(server, viewer, additional_headers=headers, origin=f"http://{server.url}") as client:
        assert client.close_code() == 4401


def test_signing_out_closes_the_browsers_connections_alone(server: LiveServer, viewer: User) -> None:
    browser = Browser()
    browser.force_login(viewer)
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={browser.session.session_key}"}
    with (
        Client(server, viewer, additional_headers=headers, origin=f"http://{server.url}") as tab,
        Client(server, viewer) as other,
    ):
        tab.resume()
        other.resume()
        browser.logout()

        assert tab.close_code() == 4401
        assert other.hears_nothing()


def test_a_new_password_closes_connections_made_with_the_old_one(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        viewer.set_password("another-long-password")
        viewer.save()

        assert client.close_code() == 4401


def test_a_revoked_token_closes_its_connections(server: LiveServer, viewer: User) -> None:
    with Client(server, viewer) as client:
        client.resume()
        revoke_api_token(user=viewer, token_id=viewer.api_tokens.get().pk)

        assert client.close_code() == 4401
