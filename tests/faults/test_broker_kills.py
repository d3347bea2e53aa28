"""Broker and worker processes, killed or stopped at a chosen point: each effect once, in order."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest
import redis
from django.conf import settings
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from broker import housekeeping
from broker.models import DeadLetter, GroupPartition, OutboxMessage, StreamMessage, WorkItem
from broker.routing import partition_for
from broker.service import keep_connected
from tests.support import broker_app, process_faults
from tests.support.broker_app import effects, held_gate, in_threads, publish_now, sample, tries, wait_until
from tests.support.broker_processes import Processes, kill, owner_pid, real_processes, relay_pid

KEY = "sample:1"
PARTITION = partition_for(KEY, 2)


@pytest.fixture
def processes(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    with broker_app.installed(tmp_path):
        environment = process_environment | {broker_app.MARKS: str(tmp_path)}
        with real_processes(environment, tmp_path) as given:
            yield given


def two_brokers_that_share(processes: Processes) -> dict[int, Popen[bytes]]:
    """Two brokers by process id, each with a partition of its own."""
    brokers = {process.pid: process for process in (processes.broker(), processes.broker())}
    wait_until(lambda: {owner_pid("exact", 0), owner_pid("exact", 1)} == set(brokers))
    return brokers


def test_a_broker_killed_between_append_and_mark_repeats_the_append_without_effect(processes: Processes) -> None:
    # Given a log that is no part of PostgreSQL's transactions, and a broker that dies there
    processes.environment[process_faults.THREE_COMMITS] = "yes"
    processes.environment[process_faults.DIE_AT] = "mark:before:1"
    publish_now(*(sample(n) for n in range(5)))
    assert processes.broker().wait(15) == -signal.SIGKILL
    del processes.environment[process_faults.DIE_AT]

    # Then the next one appends again, and no handler sees it
    assert StreamMessage.objects.count() == 5
    processes.broker()
    wait_until(lambda: not OutboxMessage.objects.filter(relayed_at=None).exists())
    publish_now(sample(5))
    wait_until(lambda: all(5 in effects(group) for group in ("exact", "atleast", "atmost")))
    assert StreamMessage.objects.count() == 11
    assert effects("exact") == [0, 1, 2, 3, 4, 5]
    seen = effects("atmost")  # the one that it was called with when the process died may be missing
    assert seen == sorted(set(seen))
    assert len(seen) >= 5


def test_a_broker_killed_inside_a_handler_is_replaced_within_five_seconds(processes: Processes) -> None:
    # Given two brokers, and a handler that hangs in one of them
    brokers = two_brokers_that_share(processes)
    hanging = sample(1, do="wait")
    with held_gate():
        publish_now(hanging, sample(2), sample(3))
        wait_until(lambda: tries("exact", hanging) == 1)
        # When that one is killed
        owner = owner_pid("exact", PARTITION)
        kill(brokers[owner])
        killed_at = time.monotonic()

        # Then the other takes over
        wait_until(lambda: tries("exact", hanging) == 2, seconds=5.5, what="the handover")
        assert owner_pid("exact", PARTITION) != owner
        assert time.monotonic() - killed_at < 5.5
    wait_until(lambda: len(effects("exact")) == 3)
    assert effects("exact") == [1, 2, 3]


def test_a_message_that_kills_its_broker_each_time_becomes_a_dead_letter_and_the_partition_goes_on(
    processes: Processes,
) -> None:
    processes.environment[process_faults.LEASE_SECONDS] = "0.5"
    deadly = sample(2, do="die")
    publish_now(sample(1), deadly, sample(3))
    brokers: list[Popen[bytes]] = []

    def goes_on() -> bool:
        if not brokers or brokers[-1].poll() is not None:
            brokers.append(processes.start_broker())
        return effects("exact") == [1, 3]

    wait_until(goes_on, seconds=40)
    letter = DeadLetter.objects.get()
    assert (letter.message_id, letter.origin, letter.attempts) == (deadly.id, "group:exact", 3)
    assert len(brokers) == tries("exact", deadly) + 1 == 5  # the first death is not counted: nobody knew what of
    # (The other group goes its own way, and may be at the last one still.)
    wait_until(lambda: list(dict.fromkeys(effects("atleast"))) == [1, 2, 3])


def test_a_broker_stopped_inside_a_handler_for_longer_than_its_lease_is_fenced(processes: Processes) -> None:
    processes.environment[process_faults.LEASE_SECONDS] = "1"
    brokers = two_brokers_that_share(processes)
    hanging = sample(1, do="wait")
    with held_gate():
        publish_now(hanging, sample(2))
        wait_until(lambda: tries("exact", hanging) == 1)
        stopped = owner_pid("exact", PARTITION)
        os.kill(stopped, signal.SIGSTOP)
        wait_until(lambda: tries("exact", hanging) == 2, what="the handover")
    wait_until(lambda: effects("exact") == [1, 2])

    # When the stopped one goes on, Then what it had begun is taken back
    os.kill(stopped, signal.SIGCONT)
    processes.log_says("partition_lost")
    assert effects("exact") == [1, 2]

    # And it is a good member again: when the other is killed, it takes over
    other = next(process for pid, process in brokers.items() if pid != stopped)
    kill(other)
    publish_now(sample(3))
    wait_until(lambda: effects("exact") == [1, 2, 3])


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_stood_still_in_a_transaction_until_its_session_was_ended_goes_on_in_another_one() -> None:
    sessions: list[int] = []
    stop = threading.Event()

    def body() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            sessions.append(cursor.fetchone()[0])
            if len(sessions) > 1:
                stop.set()
                return
            cursor.execute("SET idle_in_transaction_session_timeout = '50ms'")
            others = connections.create_connection("default")
            wait_until(lambda: not is_there(others, sessions[0]), what="the end of the session")
            others.close()
            cursor.execute("SELECT 1")

    in_threads(lambda: keep_connected("test", body, stop), 1)

    assert len(set(sessions)) == 2


def is_there(others: BaseDatabaseWrapper, session: int) -> bool:
    with others.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", [session])
        return bool(cursor.fetchone()[0])


def test_a_relay_stopped_for_longer_than_its_lease_is_replaced_and_fenced(processes: Processes) -> None:
    processes.environment[process_faults.LEASE_SECONDS] = "1"
    processes.broker()
    processes.broker()
    publish_now(sample(0))
    wait_until(lambda: effects("exact") == [0])
    stopped = relay_pid()
    os.kill(stopped, signal.SIGSTOP)
    publish_now(*(sample(n) for n in range(1, 4)))
    wait_until(lambda: effects("exact") == [0, 1, 2, 3])
    assert relay_pid() != stopped

    os.kill(stopped, signal.SIGCONT)
    publish_now(*(sample(n) for n in range(4, 8)))
    wait_until(lambda: len(effects("exact")) == 8)
    assert effects("exact") == list(range(8))
    assert StreamMessage.objects.count() == 8


def test_a_broker_whose_sessions_are_cut_comes_back_by_itself(processes: Processes) -> None:
    processes.broker()
    publish_now(sample(1))
    wait_until(lambda: effects("exact") == [1])
    for n in (2, 3):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        publish_now(sample(n))
        wait_until(lambda: n in effects("exact"))  # noqa: B023 (called at once)

    assert effects("exact") == [1, 2, 3]
    assert not DeadLetter.objects.exists()


def test_a_broker_stops_cleanly_and_leaves_its_leases_to_the_next(processes: Processes) -> None:
    broker = processes.broker()
    publish_now(sample(1))
    wait_until(lambda: effects("exact") == [1])
    started = time.monotonic()
    broker.terminate()

    assert broker.wait(5) == 0
    assert time.monotonic() - started < 5
    assert (relay_pid(), set(GroupPartition.objects.values_list("owner", flat=True))) == (0, {""})


def test_a_broker_with_a_dead_thread_ends_so_that_it_is_started_again(processes: Processes) -> None:
    broker = processes.broker()
    wait_until(relay_pid)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE broker_outboxmessage RENAME TO elsewhere")
    try:
        assert broker.wait(10) == 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO broker_outboxmessage")
    processes.log_says("broker_thread_died")


def test_a_killed_worker_and_an_emptied_redis_lose_and_double_no_work(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "UNHEARD_SECONDS", 0.5)
    processes.broker()
    worker = processes.worker()

    # Given jobs whose wake-ups Redis forgot before any worker saw them
    os.kill(worker.pid, signal.SIGSTOP)
    forgotten = [sample(n, routing_key="job") for n in range(5)]
    publish_now(*forgotten)
    wait_until(lambda: WorkItem.objects.count() == 5)
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        wait_until(lambda: client.llen("default") >= 4)
        client.flushall()
    os.kill(worker.pid, signal.SIGCONT)
    # And one that kills its worker the first time
    deadly = sample(5, routing_key="job", do="die-once", where="jobs")
    publish_now(deadly)

    # When the beat looks now and then, Then each is done once
    def beat() -> bool:
        housekeeping.wake_due_items()
        return not WorkItem.objects.exclude(state="done").exists()

    wait_until(beat, seconds=20)
    assert sorted(effects("jobs")) == [0, 1, 2, 3, 4, 5]
    assert tries("jobs", deadly) == 2
    assert {tries("jobs", message) for message in forgotten} == {1}


def test_brokers_killed_at_random_keep_order_and_lose_and_double_nothing(processes: Processes) -> None:
    # Given publishers at work, each effect leading to a follow-up message
    keys = [f"sample:{number}" for number in range(4)]
    brokers = [processes.broker(), processes.broker()]

    def publish_some() -> None:
        for n in range(1, 41):
            for key in keys:
                publish_now(sample(n, key=key, follow=True))
                time.sleep(0.01)

    publishing = threading.Thread(target=lambda: in_threads(publish_some, 1))
    publishing.start()
    # When brokers are killed and replaced meanwhile
    for _ in range(3):
        time.sleep(random.uniform(0.2, 1))
        kill(brokers.pop(0))
        brokers.append(processes.broker())
    publishing.join(30)

    # Then every group saw every key's messages in order, and exactly once where it says so
    wait_until(lambda: len(effects("exact")) >= 160 and WorkItem.objects.count() >= 160, seconds=30)
    wait_until(lambda: all(40 in effects("atleast", key) for key in keys), seconds=30)
    for key in keys:
        assert effects("exact", key) == list(range(1, 41))
        assert list(dict.fromkeys(effects("atleast", key))) == list(range(1, 41))
        assert effects("atmost", key) == sorted(set(effects("atmost", key)))
    followed = WorkItem.objects.filter(queue="followups").values_list("body__partitionkey", "body__data__n")
    assert sorted(followed) == sorted((key, n) for key in keys for n in range(1, 41))
