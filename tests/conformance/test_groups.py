"""Consumer groups mean the same on every engine."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from broker import backoff, groups, queries
from broker.errors import LeaseLost
from broker.models import DeadLetter, GroupPartition, OutboxMessage
from broker.routing import partition_for
from broker.streams import OffsetMirror, engine
from broker.streams.kafka import KafkaStreams
from tests.support import broker_app
from tests.support.broker_app import (
    advance,
    effects,
    handle_all,
    member_of,
    publish_now,
    relay_all,
    sample,
    tries,
    wait_until,
)
from tests.support.streams import standing_on

from .harness import ENGINES, address_of

PARTITION = partition_for("sample:1", 2)
GROUPS = ("exact", "atleast", "atmost")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module", params=ENGINES)
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with address_of(request.param, request) as found:
        yield found


@pytest.fixture(autouse=True)
def _application(transactional_db: None, address: str, tmp_path: Path) -> Iterator[None]:
    with broker_app.installed(tmp_path), standing_on(address):
        yield


def test_each_group_handles_each_message_once_and_in_order() -> None:
    publish_now(*(sample(n, key=f"sample:{n % 3}") for n in range(12)))
    relay_all()
    # A relay that was killed between append and mark appends again
    OutboxMessage.objects.update(relayed_at=None)
    relay_all()
    for group in GROUPS:
        handle_all(group)

    for group in GROUPS:
        for key in range(3):
            assert effects(group, f"sample:{key}") == list(range(key, 12, 3))


def test_a_failure_is_tried_in_place_and_then_buried_except_at_most_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "BASE_SECONDS", 0.01)
    publish_now(*(sample(1, do="fail", where=group) for group in GROUPS), sample(2))
    relay_all()
    for group in GROUPS:
        handle_all(group)

    assert [effects(group) for group in GROUPS] == [[1, 1, 2]] * 3
    buried = DeadLetter.objects.order_by("origin").values_list("origin", "attempts")
    assert list(buried) == [("group:atleast", 3), ("group:atmost", 1), ("group:exact", 3)]


def test_a_member_that_lost_its_lease_inside_a_handler_is_fenced() -> None:
    first = sample(1)
    publish_now(first)
    relay_all()
    runner, membership = member_of("exact")
    GroupPartition.objects.update(generation=9)
    with pytest.raises(LeaseLost):
        advance(runner, membership)

    assert tries("exact", first) == 1
    assert effects("exact") == []


def test_kafkas_own_tools_see_how_far_a_group_is(address: str) -> None:
    streams = engine()
    if not isinstance(streams, KafkaStreams):
        assert not isinstance(streams, OffsetMirror)
        return
    publish_now(sample(1), sample(2))
    relay_all()
    runner, membership = member_of("exact")
    while advance(runner, membership):
        pass
    groups._mirror(membership)

    admin = AdminClient({"bootstrap.servers": urlsplit(address).netloc})
    asked = ConsumerGroupTopicPartitions("exact")

    def shown() -> dict[int, int]:
        answer = admin.list_consumer_group_offsets([asked])["exact"].result(5)
        return {place.partition: place.offset for place in answer.topic_partitions}

    wait_until(lambda: shown() == {number: each.next_offset for number, each in membership.owned.items()})


def test_lag_is_what_is_left() -> None:
    publish_now(sample(1), sample(2))
    relay_all()
    member_of("exact")[1].leave()

    [behind] = [place for place in queries.lag() if place.group == "exact" and place.lag]
    assert (behind.lag, behind.partition, behind.end) == (2, PARTITION, behind.offset + 2)
    handle_all("exact")
    assert not [place for place in queries.lag() if place.group == "exact" and place.lag]
