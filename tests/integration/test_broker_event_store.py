"""The event store: a history that is appended to under an expected version."""

import pytest
from django.db import transaction

from broker import event_store
from broker.errors import ConcurrentWrite
from broker.event_store import NewEvent
from broker.models import StoredEvent
from tests.support.broker_app import in_threads

pytestmark = pytest.mark.django_db(transaction=True)


def test_events_come_back_in_order_with_their_versions() -> None:
    first = event_store.append(
        aggregate="sample:1",
        events=[NewEvent(type="a", data={"n": 1}), NewEvent(type="b", data={})],
        expected_version=0,
    )
    second = event_store.append(aggregate="sample:1", events=[NewEvent(type="c", data={})], expected_version=2)

    history = event_store.load("sample:1")
    assert [event.version for event in (*first, *second)] == [1, 2, 3]
    assert [(event.version, event.type) for event in history] == [(1, "a"), (2, "b"), (3, "c")]
    assert history[0].data == {"n": 1}
    assert event_store.load("sample:2") == []


@pytest.mark.parametrize("expected_version", [0, 2])
def test_another_version_than_expected_is_refused_and_nothing_is_written(expected_version: int) -> None:
    event_store.append(aggregate="sample:1", events=[NewEvent(type="a", data={})], expected_version=0)

    with transaction.atomic():
        with pytest.raises(ConcurrentWrite, match="sample:1 is at version 1, not"):
            event_store.append(
                aggregate="sample:1", events=[NewEvent(type="b", data={})], expected_version=expected_version
            )
        assert StoredEvent.objects.count() == 1  # and the transaction is still usable


def test_of_many_concurrent_writers_exactly_one_wins() -> None:
    outcomes: list[str] = []

    def write() -> None:
        try:
            event_store.append(aggregate="sample:1", events=[NewEvent(type="a", data={})], expected_version=0)
            outcomes.append("won")
        except ConcurrentWrite:
            outcomes.append("refused")

    in_threads(write, 6)

    assert sorted(outcomes) == ["refused"] * 5 + ["won"]
    assert StoredEvent.objects.count() == 1
