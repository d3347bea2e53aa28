"""Groups that handle several messages in one transaction: fewer commits, the same effects."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection

from broker import backoff
from broker.errors import LeaseLost
from broker.groups import GroupRunner
from broker.membership import Membership
from broker.messages import Message
from broker.models import DeadLetter, GroupPartition, OutboxMessage, StreamMessage
from broker.routing import partition_for
from tests.support import broker_app
from tests.support.broker_app import advance, effects, member_of, publish_now, relay_all, sample, tries, wait_until


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(backoff, "BASE_SECONDS", 0.01)
    with broker_app.installed(tmp_path):
        yield


def batching(size: int, *, member: str = "test") -> tuple[GroupRunner, Membership]:
    runner, membership = member_of("exact", member=member)
    return GroupRunner(replace(runner.group, batch=size)), membership


def handle_in_batches(size: int) -> None:
    runner, membership = batching(size)
    wait_until(
        lambda: all(each.is_due() for each in membership.owned.values()) and not advance(runner, membership), seconds=5
    )
    membership.leave()


def give(*messages: Message) -> None:
    publish_now(*messages)
    relay_all()


def transactions_of_effects() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM effect")
        return int(cursor.fetchone()[0])


def place() -> GroupPartition:
    return GroupPartition.objects.get(group="exact", partition=partition_for("sample:1", 2))


def test_a_batch_is_one_transaction() -> None:
    give(*(sample(n) for n in range(7)))
    handle_in_batches(3)

    assert effects("exact") == list(range(7))
    assert transactions_of_effects() == 3
    assert (place().next_offset, place().watermark) == (7, 7)


def test_what_is_passed_over_does_not_break_a_batch() -> None:
    give(sample(1), sample(2, type="sample.ignored"), sample(3))
    OutboxMessage.objects.filter(position=3).update(relayed_at=None)
    give(sample(4))
    handle_in_batches(10)

    assert StreamMessage.objects.count() == 5
    assert effects("exact") == [1, 3, 4]
    assert transactions_of_effects() == 1


def test_one_that_fails_is_tried_by_itself_and_every_effect_stands_once_in_order() -> None:
    failing = sample(3, do="fail")
    give(sample(1), sample(2), failing, sample(4), sample(5))
    handle_in_batches(10)

    assert effects("exact") == [1, 2, 4, 5]
    assert DeadLetter.objects.get().attempts == 3
    assert tries("exact", failing) == 4  # the batch's, which is no attempt, and three


def test_one_that_nobody_can_read_does_not_hold_up_its_batch() -> None:
    give(sample(1), sample(2), sample(3))
    StreamMessage.objects.filter(offset=1).update(body={"type": "sample.noted"})
    handle_in_batches(10)

    assert effects("exact") == [1, 3]
    assert DeadLetter.objects.get().reason == "invalid"


def test_a_member_that_lost_its_lease_inside_a_batch_is_fenced() -> None:
    give(sample(1), sample(2), sample(3))
    runner, membership = batching(10)
    GroupPartition.objects.update(generation=99)

    with pytest.raises(LeaseLost):
        advance(runner, membership)
    assert effects("exact") == []
    assert place().next_offset == 0
