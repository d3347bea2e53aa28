"""`make up` under bad conditions: it says what to do in one paragraph, or recovers; it never leaves anything behind."""

import fcntl
import os
import signal
import socket
import time
from pathlib import Path

import psycopg
import pytest

from ott.embedded.discovery import running_servers
from ott.embedded.ports import free_port
from ott.embedded.readiness import unready
from tests.support.live_client import eventually
from tests.support.run_up import Run, running

READY = "Marquee is ready"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the runs of a test write."""
    return tmp_path / "up.log"


def refusal(folder: Path, log: Path, **environment: str) -> str:
    """What a run that cannot start says; it must end by itself, in one paragraph, without a traceback."""
    port = int(environment.pop("OTT_PORT", "") or free_port())
    with running(folder, port=port, log=log, **environment) as run:
        assert run.process.wait(20) == 1, run.output
        assert "Traceback" not in run.output
        return run.output


def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path: Path, log: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        port = other.getsockname()[1]

        words = refusal(tmp_path / "data", log, OTT_PORT=str(port))

    assert f"Port {port} is taken" in words
    assert "OTT_PORT=" in words


def test_a_data_folder_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path, log: Path) -> None:
    # A file where the folder should be: permissions do not stop root, who may be running this.
    (tmp_path / "data").write_text("in the way")

    words = refusal(tmp_path / "data", log)

    assert f"{tmp_path / 'data'} cannot be written" in words
    assert "OTT_DATA_DIR" in words


def test_a_data_folder_in_use_names_the_process_that_uses_it(tmp_path: Path, log: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711\n")
        lock.flush()

        words = refusal(tmp_path / "data", log)

    assert "in use by another run (process 4711)" in words


def test_settings_that_are_wrong_are_listed(tmp_path: Path, log: Path) -> None:
    words = refusal(tmp_path / "data", log, BROKER_STREAMS="carrier-pigeon", OTT_MAX_UPLOAD_BYTES="much")

    assert "BROKER_STREAMS" in words
    assert "OTT_MAX_UPLOAD_BYTES" in words


def test_a_database_that_is_given_but_does_not_answer_is_said(tmp_path: Path, log: Path) -> None:
    address = f"postgres://nobody:secret@127.0.0.1:{free_port()}/none"

    words = refusal(tmp_path / "data", log, DATABASE_URL=address)

    assert "DATABASE_URL cannot be used" in words
    assert "secret" not in words
    assert not (tmp_path / "data" / "postgres").exists()


def test_servers_that_are_given_are_used_and_nothing_embedded_starts(tmp_path: Path, log: Path) -> None:
    given = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}

    with running(tmp_path / "data", port=free_port(), log=log, **given) as run:
        eventually(lambda: migrations_in(given["DATABASE_URL"]) > 0, within=20)
        # Stopped here, while it is still filling the database.
        assert run.end(signal.SIGTERM) == 0
        assert run.gone_within(1)

    assert "Starting" not in run.output
    assert not (tmp_path / "data" / "postgres").exists()
    assert not (tmp_path / "data" / "valkey").exists()


def migrations_in(address: str) -> int:
    """How many migrations that database has seen."""
    with psycopg.connect(address) as connection:
        known = connection.execute("SELECT to_regclass('django_migrations')").fetchone()
        if known == (None,):
            return 0
        return count(connection, "django_migrations")


def accounts_in(folder: Path) -> int:
    """How many accounts the running platform of `folder` has."""
    with psycopg.connect(running_servers(folder).database_url) as connection:
        return count(connection, "accounts_user")


def count(connection: psycopg.Connection[tuple[int]], table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return row[0] if row else 0


def child(run: Run, part: str) -> int:
    """The supervisor's child whose program or arguments contain `part`."""
    for pid in run.processes():
        command = Path(f"/proc/{pid}/cmdline").read_text()
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if part in command and parent == run.process.pid:
            return pid
    raise AssertionError(f"no {part} among {run.processes()}")


def test_a_killed_first_run_is_recovered_and_what_was_stored_is_there_next_time(tmp_path: Path, log: Path) -> None:
    # Given a folder with a space in its name, under one that only its owner may enter
    parent = tmp_path / "only mine"
    parent.mkdir(mode=0o700)
    folder, port = parent / "my data", free_port()

    # When first runs are killed while they make the cluster, the tables and the demo, then nothing is left of them
    for stage in ("Starting PostgreSQL", "Preparing", "posters"):
        with running(folder, port=port, log=log) as first:
            first.wait_for(stage, 60)
            time.sleep(0.2)  # into it
            first.end(signal.SIGKILL)
            assert first.gone_within(5), first.processes()

    # And the next one recovers; a process that dies is started again
    with running(folder, port=port, log=log) as second:
        filling = second.wait_for(READY, 300)
        for name, part in (("web", "uvicorn"), ("PostgreSQL", "/postgres")):
            os.kill(child(second, part), signal.SIGKILL)
            second.wait_for(f"{name} ended (killed by signal 9)", 5)
            eventually(lambda: not unready(port), within=30)
        stored = accounts_in(folder)
        second.end(signal.SIGKILL)
        assert second.gone_within(5), second.processes()

    # And the one after that is quick, finds what was stored, and stops cleanly
    with running(folder, port=port, log=log) as third:
        assert third.wait_for(READY, 60) < filling / 2  # whatever else the machine does
        assert accounts_in(folder) == stored > 0
        assert third.end(signal.SIGINT) == 0
        assert third.gone_within(1), third.processes()
        assert "Traceback" not in third.output
    assert parent.stat().st_mode & 0o777 == 0o700
