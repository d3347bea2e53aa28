"""Clients over real sockets that misbehave, forge, flood, sleep, or may not come in."""

import json
import socket
import uuid
from contextlib import suppress

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client as Browser
from websockets.exceptions import ConnectionClosed, InvalidStatus

from accounts.clock import database_now
from accounts.commands import revoke_api_token
from accounts.models import User
from notifications.queries import inbox
from notifications.retention import forget_postings

from .live_support import EPOCH, Client, LiveServer, push
from .notifications_support import MOVIES, given, post

pytestmark = pytest.mark.django_db(transaction=True)


def a_session(user: User) -> SessionStore:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return session


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
    live_web: LiveServer, subscriber: User, epoch: str | None, positions: dict[str, int], reason: str
) -> None:
    with Client(live_web, subscriber) as client:
        held = positions | given(subscriber) if reason == "ahead" else positions
        answer = client.resume(epoch or inbox(viewer_id=subscriber.pk).epoch, held)
        assert answer == {"type": "reset", "reason": reason}

        assert client.resume()["type"] == "welcome"


def test_more_than_can_be_caught_up_with_is_a_reset(live_web: LiveServer, subscriber: User) -> None:
    page = inbox(viewer_id=subscriber.pk)
    for number in range(settings.LIVE_MAX_MISSING + 1):
        post(str(number))

    with Client(live_web, subscriber) as client:
        assert client.resume(page.epoch, page.positions)["reason"] == "too-many"


def test_positions_below_what_a_topic_remembers_are_reset(live_web: LiveServer, subscriber: User) -> None:
    page = inbox(viewer_id=subscriber.pk)
    post("Forgotten")
    held = inbox(viewer_id=subscriber.pk).positions
    forget_postings(before=database_now())
    post("Remembered")

    with Client(live_web, subscriber) as client:
        assert client.resume(page.epoch, page.positions)["reason"] == "too-old"
        assert client.resume(page.epoch, held)["type"] == "welcome"
        assert client.titles(1) == ["Remembered"]


def test_forged_topics_among_the_positions_change_nothing(live_web: LiveServer, subscriber: User) -> None:
    page = inbox(viewer_id=subscriber.pk)
    forged = {f"category:{number}": 2**63 - 1 for number in range(1000)}
    post("Mine")

    with Client(live_web, subscriber) as client:
        welcome = client.resume(page.epoch, page.positions | forged)
        assert welcome["positions"] == {MOVIES: 0} | given(subscriber)
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
    live_web: LiveServer, subscriber: User, frame: str | bytes, code: str
) -> None:
    with Client(live_web, subscriber) as client:
        client.socket.send(frame)
        assert client.next("error")["code"] == code

        assert client.resume()["type"] == "welcome"


def test_an_oversized_frame_closes_the_connection(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.socket.send(json.dumps({"type": "ack", "padding": "x" * settings.LIVE_MAX_FRAME_BYTES}))

        assert client.close_code() == 1009


def test_a_flood_of_frames_closes_the_connection(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        with suppress(ConnectionClosed):
            for _ in range(2000):
                client.send(type="pong")

        assert client.close_code() == 1008


def test_a_reader_that_does_not_read_is_closed_and_finds_everything_when_it_comes_back(
    live_web: LiveServer, subscriber: User
) -> None:
    slow_socket = socket.create_connection(("127.0.0.1", live_web.port))
    slow_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
    page = inbox(viewer_id=subscriber.pk)
    with Client(live_web, subscriber, sock=slow_socket) as slow, Client(live_web, subscriber) as quick:
        slow.resume()
        quick.resume()
        for number in range(150):
            push(post(str(number), body="x" * 60_000))
            assert quick.titles(1) == [str(number)]

        assert slow.close_code(20) in {1013, 1006}
    with Client(live_web, subscriber) as back:
        back.resume(page.epoch, page.positions)
        assert back.titles(150) == [str(number) for number in range(150)]


def test_a_browser_with_a_session_from_our_own_page_is_let_in(live_web: LiveServer, subscriber: User) -> None:
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={a_session(subscriber).session_key}"}
    with Client(live_web, subscriber, additional_headers=headers, origin=f"http://{live_web.url}") as client:
        assert client.resume()["type"] == "welcome"


@pytest.mark.parametrize("origin", ["https://evil.example", None])
def test_a_session_from_another_sites_page_is_refused(
    live_web: LiveServer, subscriber: User, origin: str | None
) -> None:
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={a_session(subscriber).session_key}"}
    with pytest.raises(InvalidStatus), Client(live_web, subscriber, additional_headers=headers, origin=origin):
        pass


@pytest.mark.parametrize("headers", [{}, {"Cookie": "sessionid=nonsense"}, {"Authorization": "Bearer nonsense"}])
def test_who_is_not_signed_in_is_told_so(live_web: LiveServer, subscriber: User, headers: dict[str, str]) -> None:
    with Client(live_web, subscriber, additional_headers=headers, origin=f"http://{live_web.url}") as client:
        assert client.close_code() == 4401


@pytest.mark.usefixtures("_standing_hints_lost")
def test_signing_out_closes_the_browsers_connections_alone(live_web: LiveServer, subscriber: User) -> None:
    browser = Browser()
    browser.force_login(subscriber)
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={browser.session.session_key}"}
    with (
        Client(live_web, subscriber, additional_headers=headers, origin=f"http://{live_web.url}") as tab,
        Client(live_web, subscriber) as other,
    ):
        tab.resume()
        other.resume()
        browser.logout()

        assert tab.close_code() == 4401
        assert other.hears_nothing()


@pytest.mark.usefixtures("_standing_hints_lost")
def test_a_new_password_closes_connections_made_with_the_old_one(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        subscriber.set_password("another-long-password")
        subscriber.save()

        assert client.close_code() == 4401


@pytest.mark.usefixtures("_standing_hints_lost")
def test_a_revoked_token_closes_its_connections(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        revoke_api_token(user=subscriber, token_id=subscriber.api_tokens.get().pk)

        assert client.close_code() == 4401
