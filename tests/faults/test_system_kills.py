"""`kill -9` on the real processes of a whole system; afterwards nobody misses anything, and nobody gets it twice.

A process is held at the point where it is to die by a trigger that waits for a lock of the test's own.
"""

import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from tests.support.live_client import LiveClient, eventually
from tests.support.system import System, assert_exactly_once, send
from tests.support.videos import make_video

LOCK = 20_260_101
RETURNING = 20  # clients
KILLS = 3


@pytest.fixture
def viewer(system: System) -> Iterator[tuple[str, LiveClient]]:
    """A viewer's token, and their connected client."""
    token = system.viewer()
    with system.live(token) as client:
        yield token, client


@contextmanager
def held_at(system: System, table: str, when: str) -> Iterator[psycopg.Connection[Any]]:
    """Hold every transaction that writes to `table` `when` …, until the block ends."""
    with system.database() as connection:
        connection.execute(f"""
            CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN PERFORM pg_advisory_xact_lock({LOCK}); RETURN NEW; END';
            CREATE TRIGGER hold {when.format(table=table)} EXECUTE FUNCTION hold();
        """)
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            yield connection
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
            connection.execute("SET lock_timeout = '10s'; DROP FUNCTION hold CASCADE")


def wait_until_held(connection: psycopg.Connection[Any]) -> None:
    """Until some transaction waits for the test's lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
    eventually(lambda: connection.execute(waiting, [LOCK]).fetchone()[0], what="a process held at its step")  # type: ignore[index]


def wait_until(system: System, counted: LiteralString, counts: tuple[int, int]) -> None:
    """Until a query says `counts`."""
    with system.database() as connection:
        eventually(lambda: connection.execute(counted).fetchone() == counts, what=f"{counts} of: {counted}")


def forget_the_dead(connection: psycopg.Connection[Any]) -> None:
    """End sessions whose client was killed while it waited: PostgreSQL notices only when it writes to them."""
    held = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
    connection.execute(held, [LOCK])


@pytest.mark.parametrize(
    ("process", "table", "when"),
    [
        pytest.param(
            "broker",
            "broker_outboxmessage",
            "BEFORE UPDATE ON {table} FOR EACH ROW WHEN (OLD.relayed_at IS NULL AND NEW.relayed_at IS NOT NULL)",
            id="the broker, between append and mark",
        ),
        pytest.param(
            "broker",
            "notifications_posting",
            "BEFORE INSERT ON {table} FOR EACH ROW",
            id="the broker, inside a handler",
        ),
        pytest.param(
            "worker",
            "broker_workitem",
            "BEFORE UPDATE ON {table} FOR EACH ROW WHEN (NEW.state = 'done')",
            id="the worker, inside fan_out",
        ),
    ],
)
def test_a_process_killed_in_the_middle_of_a_step_loses_and_doubles_nothing(
    system: System, viewer: tuple[str, LiveClient], process: str, table: str, when: str
) -> None:
    token, client = viewer
    headlines = system.announce("Before the kill")
    eventually(lambda: client.received, what="the first notification")
    with held_at(system, table, when) as connection:
        headlines += system.announce("Held at the step", "Behind it")
        wait_until_held(connection)
        system.stack.kill(process)
        forget_the_dead(connection)
    system.stack.start(process)
    headlines += system.announce("After the kill")
    assert_exactly_once(system, client, token, headlines)


def test_a_web_process_killed_while_it_pushes_is_made_up_for_on_reconnect(
    system: System, viewer: tuple[str, LiveClient]
) -> None:
    token, client = viewer
    headlines = [f"Burst number {number:02}." for number in range(12)]
    drafts = [system.draft(headline) for headline in headlines]
    for draft in drafts[:6]:
        system.publish(draft)
    eventually(lambda: client.received, what="the burst to begin")
    system.stack.kill("web")
    system.stack.start("web")
    for draft in drafts[6:]:
        system.publish(draft)
    assert_exactly_once(system, client, token, headlines)
    assert client.connections >= 2


def test_postgresql_killed_loses_nothing_that_was_accepted(system: System, viewer: tuple[str, LiveClient]) -> None:
    token, client = viewer
    headlines = system.announce("Before PostgreSQL died", "Right before it")
    system.stack.kill_postgres()
    refusal = send(system.request("GET", "/inbox", token))
    assert (refusal.status, refusal.body["type"]) == (503, "/problems/database-away")
    signed_in = {"Cookie": f"sessionid={'a' * 32}"}
    page = send(urllib.request.Request(f"{system.base_url}/browse/", headers=signed_in))
    assert (page.status, "We will be back in a moment" in page.body["text"]) == (503, True)
    system.stack.start_postgres()
    headlines += system.announce("After it came back")
    assert_exactly_once(system, client, token, headlines)


def test_postgresql_killed_while_clients_resume_delays_them_and_loses_nothing(
    system: System, viewer: tuple[str, LiveClient]
) -> None:
    token, _ = viewer
    with ExitStack() as open_clients:
        clients = [open_clients.enter_context(system.live(token)) for _ in range(RETURNING)]
        # Given clients that have all lost their gateway, and something that they have missed
        missed = system.draft("Missed")
        system.stack.kill("web")
        eventually(lambda: not any(client.connected.is_set() for client in clients), what="all cut off")
        system.stack.start("web")
        system.publish(missed)
        # When PostgreSQL dies as soon as the first of them are back, and is started again
        eventually(lambda: any(client.connected.is_set() for client in clients), what="the first of them to be back")
        system.stack.kill_postgres()
        system.stack.start_postgres()
        headlines = ["Missed", *system.announce("After it came back")]

        for client in clients:
            assert_exactly_once(system, client, token, headlines)


def test_postgresql_killed_right_after_deliveries_were_made_has_each_of_them_once(system: System) -> None:
    endpoint = system.call("PUT", "/channels/mail", system.viewer(), {"on": True}).body["id"]
    counted = "SELECT count(*), count(DISTINCT {}) FROM {}"
    made = counted.format("notification_id", f"notifications_delivery WHERE endpoint_id = {endpoint}")
    left = counted.format("id", "broker_workitem WHERE queue = 'create_deliveries' AND state <> 'done'")
    for number in range(1, KILLS + 1):
        system.announce(f"Premiere {number}")
        wait_until(system, made, (number, number))
        # None of these commits waits for the disk, so the last of them may be forgotten now
        system.stack.kill_postgres()
        system.stack.start_postgres()
        wait_until(system, left, (0, 0))
        with system.database() as connection:
            assert connection.execute(made).fetchone() == (number, number)


def test_valkey_killed_and_emptied_delays_and_loses_nothing(system: System, viewer: tuple[str, LiveClient]) -> None:
    token, client = viewer
    headlines = system.announce("Before Valkey died")
    drafts = [system.draft(headline) for headline in ("While it is away", "Still away")]
    system.stack.kill_valkey()
    for draft in drafts:
        system.publish(draft)
    headlines += ["While it is away", "Still away"]
    # PostgreSQL has it all, so an open connection is healed without Redis.
    eventually(lambda: len(client.received) == len(headlines), what="healing without Valkey")
    system.stack.start_valkey()
    headlines += system.announce("After it came back")
    system.empty_valkey()
    headlines += system.announce("After it was emptied")
    assert_exactly_once(system, client, token, headlines)
    with system.database() as connection:
        open_items = "SELECT count(*) FROM broker_workitem WHERE state <> 'done'"

        def all_done() -> bool:
            system.restart_the_ended()
            return connection.execute(open_items).fetchone() == (0,)

        eventually(all_done, within=60, what="every work item done")


def test_an_encode_killed_in_the_middle_finishes_without_a_hand(system: System, tmp_path: Path) -> None:
    release = system.draft("Encoded twice, seen once", category="documentaries")
    video = make_video(tmp_path / "long.mp4", seconds=20, size="854x480")
    assert system.upload(release, video).status == 202
    with system.database() as connection:
        progress = "SELECT state, percent FROM catalog_asset ORDER BY created_at DESC LIMIT 1"

        def asset() -> tuple[str, int]:
            state, percent = connection.execute(progress).fetchone() or ("", 0)
            return state, percent

        eventually(lambda: asset()[0] == "encoding" and 0 < asset()[1] < 90, what="the encode to be under way")
        system.stack.kill("worker-media")
        system.stack.start("worker-media")
        eventually(lambda: asset()[0] == "ready", within=90, what="the encode to finish")
    system.publish(release)
