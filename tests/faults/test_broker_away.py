"""Brokers whose servers are away or cut them off, and whose machine's clock is set back."""

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from broker.models import DeadLetter
from ott.embedded.privileges import give_passage
from ott.embedded.valkey import EmbeddedValkey
from tests.support import broker_app, process_faults
from tests.support.broker_app import effects, publish_now, sample, wait_until
from tests.support.broker_processes import Processes, real_processes

CUT_SECONDS = 0.15  # between two cuts: more often than a broker takes to connect and handle a little


@pytest.fixture
def processes(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    with broker_app.installed(tmp_path):
        environment = process_environment | {broker_app.MARKS: str(tmp_path), broker_app.BATCH: "10"}
        with real_processes(environment, tmp_path) as given:
            yield given


@pytest.fixture
def log_server() -> Iterator[EmbeddedValkey]:
    """A Valkey for the log alone, which is not running yet; its port is chosen."""
    with tempfile.TemporaryDirectory(prefix="marquee-log-") as folder:
        give_passage(Path(folder))
        server = EmbeddedValkey(Path(folder) / "valkey")
        server.start()
        server.kill()
        try:
            yield server
        finally:
            server.stop()


def test_a_log_that_is_away_at_the_start_and_goes_away_in_between_delays_and_loses_nothing(
    processes: Processes, log_server: EmbeddedValkey
) -> None:
    # Given brokers whose log does not answer
    processes.environment["BROKER_STREAMS"] = log_server.url
    brokers = [processes.broker(), processes.broker()]
    publish_now(*(sample(n) for n in range(20)))
    processes.log_says("streams_lost")

    # When it comes, goes and comes back
    log_server.start()
    wait_until(lambda: len(effects("exact")) == 20, seconds=30)
    log_server.kill()
    publish_now(*(sample(n) for n in range(20, 40)))
    processes.log_says("streams_lost", times=2)
    log_server.start()

    # Then everything is handled once, in order, by the brokers that were there all the time
    wait_until(lambda: len(effects("exact")) >= 40, seconds=30)
    assert effects("exact") == list(range(40))
    assert not DeadLetter.objects.exists()
    assert [broker.poll() for broker in brokers] == [None, None]


def test_sessions_that_are_cut_in_the_middle_of_batches_delay_and_double_nothing(processes: Processes) -> None:
    processes.broker()
    processes.broker()
    publish_now(*(sample(n) for n in range(300)))

    # When all sessions of all brokers are cut again and again
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        cut_sessions()
        time.sleep(CUT_SECONDS)

    wait_until(lambda: all(299 in effects(group) for group in ("exact", "atleast")), seconds=30)
    assert effects("exact") == list(range(300))
    assert list(dict.fromkeys(effects("atleast"))) == list(range(300))
    assert not DeadLetter.objects.exists()


def cut_sessions() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_clock_that_is_set_back_by_an_hour_changes_nothing(processes: Processes) -> None:
    processes.environment[process_faults.CLOCK_BACK] = "3600"
    processes.broker()
    done = threading.Event()

    def publish_meanwhile() -> None:
        for n in range(150):
            publish_now(sample(n, do="fail-once" if n == 100 else "", follow=True))
            time.sleep(0.02)
        done.set()

    # Given messages before and after the clock is set back, one of which is tried again
    broker_app.in_threads(publish_meanwhile, 1)

    wait_until(lambda: len(effects("exact")) >= 150, seconds=20)
    assert done.is_set()
    assert effects("exact") == list(range(150))
