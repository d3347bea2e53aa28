"""The relay: positions in commit order, appended once per generation, marked last."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings

from broker import leases, relay
from broker.errors import LeaseLost
from broker.models import DeadLetter, Lease, OutboxMessage, StreamMessage, WorkItem
from broker.outbox import publish
from broker.relay import LEASE, relay_batch
from broker.routing import partition_for
from broker.streams import engine
from broker.streams.postgres import PostgresStreams
from broker.wake import WakeUp
from tests.support import broker_app
from tests.support.broker_app import effects, handle_all, in_threads, publish_now, relay_all, sample


@pytest.fixture
def commits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether positions, appends and marks are one commit, as with a log in PostgreSQL, or three, as with any other."""
    choice: str = request.param
    monkeypatch.setattr(PostgresStreams, "joins_transaction", choice == "one commit")
    return choice


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    with broker_app.installed(tmp_path):
        yield


IN_EACH_WAY = pytest.mark.parametrize("commits", ["one commit", "three commits"], indirect=True)


def give_positions() -> None:
    """Do what a relay does that is killed before it appends."""
    generation = leases.take(LEASE, owner="killed")
    assert generation
    with transaction.atomic():
        batch = relay._next_batch(generation)
        relay._give_positions(batch)
        leases.advance(LEASE, generation=generation, counter=batch.counter)
    leases.release(LEASE, generation=generation)


def log(partition: int) -> list[int]:
    return [entry.body["data"]["n"] for entry in engine().read("log", partition, 0, limit=1000)]


@IN_EACH_WAY
@pytest.mark.usefixtures("commits")
def test_messages_of_a_key_reach_one_partition_in_order_and_are_marked() -> None:
    publish_now(*(sample(n, key="sample:a") for n in range(5)))
    relay_all()

    assert log(partition_for("sample:a", 2)) == [0, 1, 2, 3, 4]
    positions = list(OutboxMessage.objects.order_by("id").values_list("position", flat=True))
    assert positions == [1, 2, 3, 4, 5]
    assert not OutboxMessage.objects.filter(relayed_at=None).exists()


def test_what_rolled_back_is_never_routed() -> None:
    with transaction.atomic():
        publish(sample(1))
        transaction.set_rollback(True)
    publish_now(sample(2))
    relay_all()

    assert log(partition_for("sample:1", 2)) == [2]


def test_a_low_id_that_commits_late_is_not_left_behind() -> None:
    # Given a transaction that drew the lower id and is still open while a later one is relayed
    with transaction.atomic():
        publish(sample(1, key="sample:slow"))

        def meanwhile() -> None:
            publish_now(sample(2, key="sample:quick"))
            relay_all()
            leases.release(LEASE, generation=1)

        in_threads(meanwhile, 1)
    # When it commits
    relay_all()

    # Then it is relayed, with a later position
    assert not OutboxMessage.objects.filter(relayed_at=None).exists()
    assert [row.body["data"]["n"] for row in OutboxMessage.objects.order_by("position")] == [2, 1]


@IN_EACH_WAY
@pytest.mark.usefixtures("commits")
def test_order_per_key_is_kept_under_concurrent_publishers_and_a_working_relay() -> None:
    keys = [f"sample:{number}" for number in range(4)]
    done = threading.Event()

    def publish_some() -> None:
        for _ in range(25):
            key = random.choice(keys)
            with transaction.atomic(), connection.cursor() as cursor:
                # The row lock gives each message of a key its number, in commit order
                cursor.execute("UPDATE tally SET n = n + 1 WHERE key = %s RETURNING n", [key])
                publish(sample(cursor.fetchone()[0], key=key))

    def relay_meanwhile() -> None:
        while not done.wait(0.005):
            relay_all()

    relaying = threading.Thread(target=lambda: in_threads(relay_meanwhile, 1))
    with tally(keys):
        relaying.start()
        in_threads(publish_some, 4)
        done.set()
        relaying.join(20)
    relay_all()
    handle_all("exact")

    for key in keys:
        seen = effects("exact", key)
        assert seen == list(range(1, len(seen) + 1))
    assert len(effects("exact")) == 100


@contextmanager
def tally(keys: list[str]) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE tally (key text, n int)")
        cursor.executemany("INSERT INTO tally VALUES (%s, 0)", [[key] for key in keys])
        try:
            yield
        finally:
            cursor.execute("DROP TABLE tally")


def test_a_batch_that_was_appended_and_not_marked_is_skipped_by_position_the_second_time() -> None:
    publish_now(*(sample(n) for n in range(3)), sample(9, routing_key="job"))
    relay_all()
    handle_all("exact")
    # Given a kill between append and mark
    OutboxMessage.objects.update(relayed_at=None)
    relay_all()
    publish_now(sample(3))
    relay_all()
    handle_all("exact")

    # Then the log has duplicates, with equal positions, and the group passed over them
    assert StreamMessage.objects.count() == 7
    assert effects("exact") == [0, 1, 2, 3]
    assert WorkItem.objects.count() == 1


@IN_EACH_WAY
@pytest.mark.usefixtures("commits")
def test_rows_that_have_positions_are_appended_before_newer_ones() -> None:
    # Given a relay that was killed right after it gave positions, and newer messages
    publish_now(sample(1), sample(2))
    give_positions()
    publish_now(sample(3))
    relay_all()

    assert log(partition_for("sample:1", 2)) == [1, 2, 3]


@override_settings(BROKER_RELAY_BATCH=2)
def test_a_small_batch_limit_changes_nothing_but_the_number_of_batches() -> None:
    publish_now(*(sample(n) for n in range(5)))
    generation = leases.take(LEASE, owner="test")
    assert generation

    assert [relay_batch(generation=generation) for _ in range(4)] == [2, 2, 1, 0]
    assert log(partition_for("sample:1", 2)) == [0, 1, 2, 3, 4]


def test_large_messages_make_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MAX_BATCH_BYTES", 1)
    publish_now(sample(1), sample(2))
    generation = leases.take(LEASE, owner="test")
    assert generation

    assert [relay_batch(generation=generation) for _ in range(3)] == [1, 1, 0]


def test_only_one_relay_holds_the_lease_until_it_expires() -> None:
    assert leases.take(LEASE, owner="first") == 1
    assert leases.take(LEASE, owner="second") is None

    Lease.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert leases.take(LEASE, owner="second") == 2


@pytest.mark.parametrize(
    ("commits", "step"),
    [
        ("three commits", "_give_positions"),
        ("three commits", "_append"),
        ("three commits", "_mark"),
        ("one commit", "_plan"),
        ("one commit", "_append"),
    ],
    indirect=["commits"],
)
@pytest.mark.usefixtures("commits")
def test_a_relay_that_lost_its_lease_before_a_step_changes_nothing_in_it(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a relay that is stopped before a step for longer than its lease
    publish_now(sample(1), sample(2))
    original = getattr(relay, step)

    def after_a_long_stop(argument: object) -> object:
        monkeypatch.setattr(relay, step, original)
        in_threads(take_over, 1)
        return original(argument)

    def take_over() -> None:
        Lease.objects.update(expires_at="2020-01-01T00:00:00Z")
        relay_all(owner="second")

    monkeypatch.setattr(relay, step, after_a_long_stop)
    generation = leases.take(LEASE, owner="first")
    assert generation

    # When it goes on, Then it is fenced
    with pytest.raises(LeaseLost):
        relay_batch(generation=generation)
    handle_all("exact")
    assert effects("exact") == [1, 2]
    assert list(OutboxMessage.objects.order_by("id").values_list("position", flat=True)) == [1, 2]
    assert not OutboxMessage.objects.filter(relayed_at=None).exists()


def test_the_relay_reads_no_more_of_a_long_backlog_than_it_takes() -> None:
    # Given statistics of an outbox in which almost nothing waits, as they usually are, and then a long backlog
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE broker_outboxmessage")
    with transaction.atomic():
        for n in range(300):
            publish(sample(n))
    generation = leases.take(LEASE, owner="test")

    with override_settings(BROKER_RELAY_BATCH=10), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(relay._KEEP_TO_INDEXES)
        values: dict[str, Any] = {"lease": LEASE, "generation": generation, "limit": 10}
        values |= {"bytes": relay.MAX_BATCH_BYTES, "plain": ["samples"], "required": ["id"]}
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {relay._NEXT}", values)
        plan = cursor.fetchone()[0]

    assert "outbox_waiting" in str(plan)
    assert "Sort" not in str(plan)


@IN_EACH_WAY
@pytest.mark.usefixtures("commits")
def test_two_relays_at_once_do_not_disturb_each_other() -> None:
    publish_now(*(sample(n) for n in range(20)))

    def compete() -> None:
        for _ in range(10):
            generation = leases.take(LEASE, owner=str(time.monotonic_ns()))
            if generation:
                relay_batch(generation=generation)
                leases.release(LEASE, generation=generation)

    in_threads(compete, 4)

    assert log(partition_for("sample:1", 2)) == list(range(20))


def test_an_unroutable_message_becomes_one_dead_letter() -> None:
    message = sample(1, exchange="nowhere", routing_key="lost")
    publish_now(message)
    relay_all()
    OutboxMessage.objects.update(relayed_at=None)
    relay_all()

    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.origin, letter.position) == ("unroutable", "exchange:nowhere", 1)
    assert (letter.message_id, letter.routing_key, letter.key) == (message.id, "lost", "sample:1")
    assert "No binding of exchange 'nowhere' matched" in letter.error


@pytest.mark.parametrize("change", [{"exchange": "strict", "routing_key": "sample.noted"}, {}], ids=["unread", "read"])
@pytest.mark.parametrize(
    "wrong", [{"id": None}, {"headers": ["none"]}, {"headers": {"none": ["x"]}}], ids=["id", "headers", "header"]
)
def test_a_body_that_nobody_can_read_becomes_a_dead_letter_and_the_rest_goes_on(
    change: dict[str, str], wrong: dict[str, Any]
) -> None:
    publish_now(sample(1, **change), sample(2, **change))
    row = OutboxMessage.objects.get(body__data__n=1)
    row.body = {name: value for name, value in (row.body | wrong).items() if value is not None}
    row.save()
    relay_all()

    assert DeadLetter.objects.get().reason == "invalid"
    assert log(partition_for("sample:1", 2)) == [2]


@IN_EACH_WAY
@pytest.mark.usefixtures("commits")
def test_what_is_taken_unread_stands_in_the_log_as_what_is_read_and_in_one_order_with_it() -> None:
    # Given messages of one key on an exchange that leads to streams alone, and on one that leads to queues, too
    published = [
        sample(n, headers={"n": n}, **({"exchange": "strict", "routing_key": "sample.noted"} if n % 2 else {}))
        for n in range(6)
    ]
    publish_now(*published)
    relay_all()

    entries = engine().read("log", partition_for("sample:1", 2), 0, limit=10)
    assert [(entry.offset, entry.position) for entry in entries] == [(n, n + 1) for n in range(6)]
    stored = {row.position: row.body for row in OutboxMessage.objects.all()}
    assert [entry.body for entry in entries] == [{**stored[n], "position": n} for n in range(1, 7)]
    assert [entry.body["id"] for entry in entries] == [str(message.id) for message in published]


def test_what_was_to_be_taken_unread_and_goes_nowhere_becomes_a_dead_letter() -> None:
    publish_now(sample(1, exchange="strict", routing_key="sample.noted"))
    row = OutboxMessage.objects.get()
    row.routing_key, row.body["routingkey"] = "elsewhere", "elsewhere"
    row.save()
    relay_all()

    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.origin, letter.body["position"]) == ("unroutable", "exchange:strict", 1)


def test_work_items_are_made_once_and_woken() -> None:
    publish_now(sample(1, routing_key="job"))

    wake_ups = relay_all()

    item = WorkItem.objects.get()
    assert wake_ups == [WakeUp(item.pk, "default")]
    assert (item.queue, item.position, item.state) == ("jobs", 1, "ready")
