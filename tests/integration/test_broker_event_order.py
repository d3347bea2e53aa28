"""The order of all events: whoever follows it passes no commit over, however late it comes."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from django.db import connection, transaction

from broker import event_order, event_store
from broker.errors import EventsFromElsewhere
from broker.event_order import START, Place
from broker.event_store import NewEvent
from broker.models import StoredEvent
from tests.support.broker_app import in_threads, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def append(aggregate: str, *, expected_version: int = 0) -> None:
    event_store.append(
        aggregate=aggregate, events=[NewEvent(type="happened", data={})], expected_version=expected_version
    )


def read(after: Place = START) -> list[tuple[str, int]]:
    return [(placed.aggregate, placed.event.version) for placed in event_order.read_all(after=after)]


class Writer:
    """A transaction in a thread of its own, one step at a time."""

    def __init__(self) -> None:
        self._steps = [threading.Event() for _ in range(2)]
        self._done = [threading.Event() for _ in range(3)]
        self.append_to: tuple[str, int] = ("late", 0)
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_current_xact_id()")
                self._pause(0)
                aggregate, version = self.append_to
                append(aggregate, expected_version=version)
                self._pause(1)
            self._done[2].set()
        finally:
            connection.close()

    def _pause(self, number: int) -> None:
        self._done[number].set()
        assert self._steps[number].wait(10)

    def go_on(self, number: int) -> None:
        """Let it append (0), or commit (1)."""
        self._steps[number].set()
        assert self._done[number + 1].wait(10)


@contextmanager
def a_transaction_that_began_early() -> Iterator[Writer]:
    writer = Writer()
    writer._thread.start()
    assert writer._done[0].wait(10)
    try:
        yield writer
    finally:
        for step in writer._steps:
            step.set()
        writer._thread.join()


def test_a_reader_does_not_pass_over_an_event_that_commits_late() -> None:
    with a_transaction_that_began_early() as early:
        early.go_on(0)
        append("quick")
        # Given an event with a low number that is not committed, and one with a higher number that is
        assert list(StoredEvent.objects.values_list("aggregate", flat=True)) == ["quick"]
        assert read() == []
        # When it commits
        early.go_on(1)

        assert read() == [("late", 1), ("quick", 1)]


def test_versions_of_an_aggregate_keep_their_order_when_the_older_transaction_appends_the_newer_one() -> None:
    with a_transaction_that_began_early() as early:
        append("shared")
        early.append_to = ("shared", 1)
        early.go_on(0)
        early.go_on(1)

    first, second = StoredEvent.objects.order_by("version")
    assert read() == [("shared", 1), ("shared", 2)]
    assert second.transaction == first.transaction


def test_a_rolled_back_transaction_leaves_a_gap_that_nobody_waits_for() -> None:
    append("a")
    with transaction.atomic():
        append("b")
        transaction.set_rollback(True)
    append("c")

    assert read() == [("a", 1), ("c", 1)]


def test_a_reader_goes_on_after_a_place() -> None:
    for name in "abc":
        append(name)
    first, *_ = event_order.read_all(after=START, limit=1)

    assert read(first.place) == [("b", 1), ("c", 1)]
    assert read(event_order.horizon()) == []


def test_whoever_follows_sees_each_event_of_concurrent_writers_once_and_in_order() -> None:
    seen: list[tuple[str, int]] = []
    kept: dict[str, int] = {}
    numbers, finished = count(1), threading.Event()

    def write() -> None:
        chance, name = random.Random(number := next(numbers)), f"writer-{number}"
        versions = 0
        for _ in range(25):
            with transaction.atomic():
                append(name, expected_version=versions)
                time.sleep(chance.uniform(0, 0.004))
                if chance.random() < 0.2:
                    transaction.set_rollback(True)
                else:
                    versions += 1
        kept[name] = versions

    def follow() -> None:
        place = START
        try:
            while True:
                last_round = finished.is_set()
                events = event_order.read_all(after=place, limit=7)
                seen.extend((placed.aggregate, placed.event.version) for placed in events)
                place = events[-1].place if events else place
                if last_round and not events:
                    return
        finally:
            connection.close()

    follower = threading.Thread(target=follow)
    follower.start()
    in_threads(write, 4)
    wait_until(lambda: event_order.horizon().transaction > StoredEvent.objects.latest("transaction").transaction)
    finished.set()
    follower.join(20)

    assert len(seen) == len(set(seen)) == sum(kept.values())
    for name, versions in kept.items():
        assert [version for aggregate, version in seen if aggregate == name] == list(range(1, versions + 1))


def test_events_of_a_dump_from_another_server_are_told_of_instead_of_waited_for() -> None:
    append("a")
    StoredEvent.objects.update(transaction=2**60)

    with pytest.raises(EventsFromElsewhere, match="restored from another"):
        read()

    # and the cure that docs/operations.md names is one
    StoredEvent.objects.update(transaction=0)
    append("a", expected_version=1)
    assert read() == [("a", 1), ("a", 2)]
