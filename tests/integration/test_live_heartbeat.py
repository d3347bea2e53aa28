"""Silence on a live connection: an idle one lives, a dead one is closed, and what was lost is noticed."""

import time
from collections.abc import Iterator

import pytest

from accounts.models import User
from notifications.commands import subscribe

from .live_support import Client, LiveServer, push
from .notifications_support import MOVIES, given, post

pytestmark = pytest.mark.django_db(transaction=True)
INTERVAL = 0.5  # seconds


@pytest.fixture(scope="module")
def quick_web(test_database_url: str) -> Iterator[LiveServer]:
    environment = {"DATABASE_URL": test_database_url, "OTT_LIVE_HEARTBEAT_SECONDS": str(INTERVAL)}
    environment |= {"OTT_LIVE_TICK_SECONDS": "60"}  # so that nothing here is healed by waiting
    running = LiveServer(environment).wait_until_ready()
    yield running
    running.stop()


def test_an_idle_connection_outlives_many_heartbeats_and_the_redis_clients_timeouts(
    quick_web: LiveServer, subscriber: User
) -> None:
    with Client(quick_web, subscriber) as client:
        assert client.resume()["heartbeat"] == INTERVAL
        assert client.hears_nothing(7.0)
        assert client.pings >= 10

        push(post("Awake"))
        assert client.titles(1, within=1) == ["Awake"]


def test_a_hole_is_filled_as_soon_as_the_next_hint_shows_it(quick_web: LiveServer, subscriber: User) -> None:
    with Client(quick_web, subscriber) as client:
        client.resume()
        post("Lost")
        push(post("Next"))

        assert client.titles(2) == ["Lost", "Next"]


def test_a_ping_says_how_far_everything_was_evaluated(quick_web: LiveServer, subscriber: User) -> None:
    subscribe(viewer_id=subscriber.pk, topic=MOVIES, kinds=["premiere"])
    with Client(quick_web, subscriber) as client:
        client.resume()
        push(post("Filtered away", kind="reminder"))
        push(post("Seen"))
        client.titles(1)

        client.next("ping")
        client.next("ping")
        assert client.positions == {MOVIES: 2} | given(subscriber)


def test_a_connection_without_pongs_is_closed_after_two_intervals(quick_web: LiveServer, subscriber: User) -> None:
    with Client(quick_web, subscriber, pongs=False) as client:
        client.resume()
        started = time.monotonic()

        assert client.close_code() == 4408
        assert 2 * INTERVAL - 0.2 < time.monotonic() - started < 4 * INTERVAL


def test_a_connection_that_never_resumes_is_asked_too(quick_web: LiveServer, subscriber: User) -> None:
    with Client(quick_web, subscriber) as client:
        assert client.next("ping")["positions"] == {}
    with Client(quick_web, subscriber, pongs=False) as silent:
        assert silent.close_code() == 4408


def test_a_stopping_process_tells_its_clients_that_it_restarts(test_database_url: str, subscriber: User) -> None:
    web = LiveServer({"DATABASE_URL": test_database_url}).wait_until_ready()
    with Client(web, subscriber) as client:
        client.resume()
        web.stop()

        assert client.close_code() == 1012
