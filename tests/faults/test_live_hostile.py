"""Clients and hints at their worst, while somebody else on the same process is served as if nothing were."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import connection
from websockets.exceptions import ConnectionClosed

from accounts.models import User
from bench.clients import clients
from bench.live_audience import ALL
from bench.people import make_listeners
from notifications.commands import subscribe
from notifications.live import push as pushing
from notifications.models import Epoch, ReadMark
from notifications.queries import inbox
from notifications.read_commands import mark_read
from tests.integration.live_support import EPOCH, Client, LiveServer, bearer, push
from tests.integration.notifications_support import MOVIES, a_viewer, post

pytestmark = pytest.mark.django_db(transaction=True)
CROWD = 5000 if os.environ.get("OTT_SOAK") else 200
POSTED = 20
PATIENCE = 120.0  # seconds


@pytest.fixture(scope="module")
def web(test_database_url: str) -> Iterator[LiveServer]:
    running = LiveServer({"DATABASE_URL": test_database_url}).wait_until_ready()
    yield running
    running.stop()


def test_a_frame_of_ten_megabytes_ends_its_own_connection_alone(web: LiveServer, subscriber: User) -> None:
    with Client(web, subscriber) as good, Client(web, subscriber) as bad:
        good.resume()
        with suppress(ConnectionClosed):
            bad.socket.send("x" * 10_000_000)
        assert bad.close_code() == 1009

        push(post("Undisturbed"))
        assert good.titles(1) == ["Undisturbed"]


def test_ten_thousand_frames_a_second_end_their_own_connection_and_delay_nobody(
    web: LiveServer, subscriber: User
) -> None:
    def flood(client: Client) -> None:
        frame = json.dumps({"type": "pong"})
        with suppress(ConnectionClosed):
            for _ in range(10_000):
                client.socket.send(frame)

    with Client(web, subscriber) as good, Client(web, subscriber) as bad, ThreadPoolExecutor() as pool:
        good.resume()
        flooding = pool.submit(flood, bad)
        for number in range(5):
            push(post(str(number)))
            assert good.titles(1, within=2) == [str(number)]
        flooding.result()
        assert bad.close_code() == 1008


def test_ten_thousand_positions_are_refused_by_name(web: LiveServer, subscriber: User) -> None:
    page = inbox(viewer_id=subscriber.pk)
    forged = {f"c:{number}": number for number in range(2_500)}
    with Client(web, subscriber) as client:
        client.send(type="resume", epoch=page.epoch, positions=page.positions | forged)
        assert client.next("error")["detail"].startswith("positions")
    with Client(web, subscriber) as client:
        client.send(type="resume", epoch=page.epoch, positions={f"category:{n:06}": n for n in range(10_000)})
        assert client.close_code() == 1009  # above 64 KiB


def test_another_viewers_ids_can_be_sent_and_change_nothing(web: LiveServer, subscriber: User) -> None:
    other = a_viewer()
    subscribe(viewer_id=other.pk, topic="category:sports")
    theirs = post("Theirs", "category:sports")
    with Client(web, subscriber) as client:
        client.resume()
        client.send(type="read", ids=[theirs.pk], positions={"category:sports": 1})
        assert client.next("read")["ids"] == []
        for kind in ("unread", "dismiss", "restore"):
            client.send(type=kind, ids=[theirs.pk])
            assert client.next("read")["ids"] == []
        client.send(type="ack", positions={"category:sports": 1}, ids=[theirs.pk])
        client.send(type="read", ids=[])
        client.next("read")

    assert inbox(viewer_id=other.pk).unread == 1
    assert not ReadMark.objects.filter(viewer=subscriber, topic__name="category:sports").exists()


def test_what_is_meant_for_one_viewer_reaches_no_other(web: LiveServer, subscriber: User) -> None:
    other = a_viewer()
    subscribe(viewer_id=other.pk, topic=MOVIES)
    posted = post("Read by one")
    with Client(web, subscriber) as mine, Client(web, other) as theirs:
        mine.resume()
        theirs.resume()
        mark_read(viewer_id=subscriber.pk, ids=[posted.pk])

        assert mine.next("read")["ids"] == [posted.pk]
        assert theirs.hears_nothing()


def test_when_every_tenth_hint_is_lost_everything_arrives_once_and_in_order(web: LiveServer, subscriber: User) -> None:
    with Client(web, subscriber) as client:
        client.resume()
        for number in range(50):
            notification = post(str(number))
            if number % 10 != 9:
                push(notification)

        assert client.titles(50) == [str(number) for number in range(50)]
        assert client.hears_nothing()
    assert healed_by(web) >= 5


def test_group_messages_that_nobody_understands_stop_nothing(web: LiveServer, subscriber: User) -> None:
    with Client(web, subscriber) as client:
        client.resume()
        for nonsense in ({"type": "live.posted"}, {"type": "live.dance"}, {"type": "live.read", "viewer": "x"}):
            pushing.send_to_hubs(nonsense)
        push(post("After the nonsense"))

        assert client.titles(1, within=3) == ["After the nonsense"]


def test_a_database_that_cuts_clients_off_while_they_resume_delays_them_and_loses_nothing(
    web: LiveServer, subscriber: User
) -> None:
    page, headers = inbox(viewer_id=subscriber.pk), bearer(subscriber)
    post("Missed")

    def come_back(_: int) -> list[str]:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with (
                suppress(ConnectionClosed, TimeoutError),
                Client(web, subscriber, additional_headers=headers) as client,
            ):
                client.resume(page.epoch, page.positions)
                return client.titles(1)
            time.sleep(0.1)
        raise AssertionError("not back in time")

    with ThreadPoolExecutor(10) as pool:
        returning = [pool.submit(come_back, number) for number in range(20)]
        for _ in range(10):
            cut_database_connections(keep=connection.connection.info.backend_pid)
            time.sleep(0.05)
        assert {tuple(future.result()) for future in returning} == {("Missed",)}


def test_a_gateway_killed_under_a_crowd_is_made_up_for_by_another_each_notification_once(
    transactional_db: None, test_database_url: str
) -> None:
    # Given two gateways, and a crowd that is connected to one of them
    Epoch.objects.create(value=EPOCH)
    tokens = make_listeners(CROWD)
    first, second = (LiveServer({"DATABASE_URL": test_database_url}).wait_until_ready() for _ in range(2))
    plan = {"tokens": tokens, "expected": POSTED}
    try:
        with clients("bench.returning", first.port, second.port, plan=plan) as crowd:
            crowd.hear("ready", PATIENCE)

            # When it is killed between one notification and the next, and they come back to the other one
            for number in range(POSTED):
                if number == POSTED // 2:
                    first.process.kill()
                push(post(str(number), ALL))
            ends = crowd.hear_all({"back", "complete"}, PATIENCE)

            # Then each of them has had each notification once
            assert ends.keys() == {"back", "complete"}
            report = crowd.report()
        assert (report["incomplete"], report["repeated"], len(report["back"])) == (0, 0, CROWD)
    finally:
        first.process.wait(10)
        second.stop()


def cut_database_connections(*, keep: int) -> None:
    """What a restart of PostgreSQL does to those who are connected to this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
            " AND pid <> pg_backend_pid()",
            [keep],
        )


def healed_by(web: LiveServer) -> float:
    """The hub's own count of what it read from the database for want of a hint."""
    for line in web.get("/metrics").splitlines():
        if line.startswith("live_postings_healed_total"):
            return float(line.split()[1])
    return 0.0
