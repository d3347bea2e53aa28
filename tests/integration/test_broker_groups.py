"""Consumer groups: three semantics, retry in place, dead letters, and leases that move."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from broker import backoff
from broker.errors import LeaseLost
from broker.membership import renew
from broker.messages import Message
from broker.models import DeadLetter, GroupMember, GroupPartition, OutboxMessage, StreamMessage
from broker.routing import partition_for
from tests.support import broker_app
from tests.support.broker_app import (
    advance,
    effects,
    handle_all,
    in_threads,
    member_of,
    nested_loops,
    publish_now,
    relay_all,
    sample,
    tries,
)

ALL = ("exact", "atleast", "atmost")
RETRYING = ("exact", "atleast")


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(backoff, "BASE_SECONDS", 0.01)
    with broker_app.installed(tmp_path):
        yield


def give(*messages: Message) -> None:
    publish_now(*messages)
    relay_all()


def key_in(partition: int) -> str:
    return next(key for key in (f"sample:{number}" for number in range(100)) if partition_for(key, 2) == partition)


def place_of(group: str, key: str = "sample:1") -> GroupPartition:
    return GroupPartition.objects.get(group=group, partition=partition_for(key, 2))


def stop_for_longer_than_the_lease(member: str) -> None:
    """What others see of a member that was stopped."""
    long_ago = timezone.now() - timedelta(seconds=30)
    GroupPartition.objects.filter(owner=member).update(lease_expires_at=long_ago)
    GroupMember.objects.filter(member=member).update(seen_at=long_ago)


@pytest.mark.parametrize("group", ALL)
def test_each_message_is_handled_once_in_order(group: str) -> None:
    give(*(sample(n) for n in range(5)))
    handle_all(group)
    handle_all(group)

    assert effects(group) == [0, 1, 2, 3, 4]
    place = place_of(group)
    assert (place.next_offset, place.watermark, place.owner) == (5, 5, "")


@pytest.mark.parametrize("group", ALL)
def test_a_duplicate_in_the_log_is_passed_over(group: str) -> None:
    give(sample(1), sample(2))
    handle_all(group)
    OutboxMessage.objects.update(relayed_at=None)
    give(sample(3))
    handle_all(group)

    assert StreamMessage.objects.count() == 5
    assert effects(group) == [1, 2, 3]


@pytest.mark.parametrize("group", ALL)
def test_a_type_without_handler_is_passed_over(group: str) -> None:
    give(sample(1), sample(2, type="sample.ignored"))
    handle_all(group)

    assert effects(group) == [1]
    assert place_of(group).next_offset == 2
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("group", ALL)
def test_an_expired_message_is_counted_and_passed_over(group: str) -> None:
    give(sample(1, expires_at=timezone.now() - timedelta(seconds=1)), sample(2))
    handle_all(group)

    assert effects(group) == [2]
    assert place_of(group).expired_count == 1


def test_an_expired_message_is_a_dead_letter_where_the_stream_says_so() -> None:
    give(sample(1, expires_at=timezone.now() - timedelta(seconds=1)), sample(2))
    with override_settings(BROKER_TOPOLOGY="tests.support.broker_app.strict_topology"):
        handle_all("exact")
        handle_all("atleast")

    assert (effects("exact"), effects("atleast")) == ([2], [2])
    assert place_of("exact").expired_count == place_of("atleast").expired_count == 1
    letters = DeadLetter.objects.order_by("origin").values_list("origin", "reason", "attempts")
    assert list(letters) == [("group:atleast", "expired", 0), ("group:exact", "expired", 0)]


@pytest.mark.parametrize("group", RETRYING)
def test_a_failure_is_tried_again_in_place_and_keeps_the_order(group: str) -> None:
    failing = sample(1, do="fail-once", where=group)
    give(failing, sample(2))
    handle_all(group)

    assert tries(group, failing) == 2
    assert effects(group) == [1, 2]
    assert (place_of(group).attempts, place_of(group).last_error) == (0, "")


@pytest.mark.parametrize("group", RETRYING)
def test_a_failure_is_not_overtaken_even_when_its_wait_is_over_at_once(
    group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.groups.delay_after", lambda _: 0.0)
    failing = sample(1, do="fail-once", where=group)
    give(failing, sample(2))
    handle_all(group)

    assert effects(group) == [1, 2]


@pytest.mark.parametrize("group", RETRYING)
def test_after_the_last_attempt_it_is_a_dead_letter_and_the_partition_goes_on(group: str) -> None:
    failing = sample(1, do="fail", where=group)
    give(failing, sample(2))
    handle_all(group)

    assert tries(group, failing) == 3
    assert effects(group) == [2]
    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.origin, letter.attempts) == ("handler_failed", f"group:{group}", 3)
    assert letter.error == f"ValueError: told to fail at {group}"
    assert "Traceback" in letter.trace
    assert "_behave" in letter.trace


@pytest.mark.parametrize("group", ALL)
def test_a_permanent_failure_is_not_tried_again(group: str) -> None:
    failing = sample(1, do="permanent", where=group)
    give(failing, sample(2))
    handle_all(group)

    assert tries(group, failing) == 1
    assert DeadLetter.objects.get().attempts == 1
    assert effects(group) == [2]


def test_at_most_once_does_not_try_again() -> None:
    failing = sample(1, do="fail-once", where="atmost")
    give(failing, sample(2))
    handle_all("atmost")

    assert tries("atmost", failing) == 1
    assert effects("atmost") == [2]
    assert DeadLetter.objects.get().origin == "group:atmost"


def test_a_body_that_nobody_can_read_becomes_a_dead_letter() -> None:
    give(sample(1), sample(2))
    StreamMessage.objects.filter(offset=0).update(body={"type": "sample.noted"})
    handle_all("exact")

    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.error) == ("invalid", "InvalidMessage: id: is missing")
    assert effects("exact") == [2]


def test_while_one_partition_waits_the_other_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.groups.delay_after", lambda _: 30.0)
    give(sample(1, key=key_in(0), do="fail"), sample(2, key=key_in(0)), sample(3, key=key_in(1)))
    runner, membership = member_of("exact")
    advance(runner, membership)
    advance(runner, membership)

    assert effects("exact") == [3]


def test_a_restart_continues_the_count_of_attempts_and_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a message that failed twice of three times and is to wait
    monkeypatch.setattr("broker.groups.delay_after", lambda attempts: [0.0, 30.0][attempts - 1])
    failing = sample(1, do="fail")
    give(failing)
    runner, membership = member_of("exact", member="killed")
    advance(runner, membership)
    advance(runner, membership)
    assert (place_of("exact").attempts, place_of("exact").last_error) == (2, "ValueError: told to fail at exact")

    # When the process is killed and another takes over, Then it waits too
    stop_for_longer_than_the_lease("killed")
    runner, membership = member_of("exact", member="next")
    advance(runner, membership)
    assert tries("exact", failing) == 2

    # And the third attempt is the last
    GroupPartition.objects.update(next_attempt_at=timezone.now())
    stop_for_longer_than_the_lease("next")
    handle_all("exact")
    assert tries("exact", failing) == 3
    assert DeadLetter.objects.get().attempts == 3


def test_exactly_once_takes_back_what_the_handler_did_before_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_and_fail(message: Message) -> None:
        broker_app.note_exactly(message)
        raise ValueError

    runner, membership = member_of("exact")
    monkeypatch.setattr(runner, "_handlers", {"sample.noted": write_and_fail})
    give(sample(1))
    advance(runner, membership)

    assert effects("exact") == []
    assert place_of("exact").attempts == 1


def test_a_constraint_that_fails_at_the_commit_is_a_failure_of_the_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    def violate(message: Message) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO twice VALUES (1), (1)")

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE twice (x int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    runner, membership = member_of("exact")
    monkeypatch.setattr(runner, "_handlers", {"sample.noted": violate})
    give(sample(1))
    advance(runner, membership)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE twice")

    assert (place_of("exact").attempts, place_of("exact").next_offset) == (1, 0)
    assert "IntegrityError" in place_of("exact").last_error


@pytest.mark.parametrize(("group", "expected"), [("exact", [1]), ("atmost", [1]), ("atleast", [1, 1])])
def test_a_member_that_lost_its_lease_inside_a_handler_is_fenced(
    group: str, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a member that is stopped in the handler, while another takes over and handles the same message
    give(sample(1))
    runner, membership = member_of(group, member="stopped")
    original = runner._handlers["sample.noted"]

    def stopped_meanwhile(message: Message) -> None:
        in_threads(take_over, 1)
        original(message)

    def take_over() -> None:
        stop_for_longer_than_the_lease("stopped")
        handle_all(group)

    monkeypatch.setattr(runner, "_handlers", {"sample.noted": stopped_meanwhile})

    # When it goes on, Then only at-least-once lets its effect stand
    if group == "atmost":
        assert advance(runner, membership)
    else:
        with pytest.raises(LeaseLost):
            advance(runner, membership)
    assert effects(group) == expected
    assert place_of(group).next_offset == 1


def test_members_share_the_partitions_and_hand_them_over_at_once() -> None:
    _, first = member_of("exact", member="first")
    assert sorted(first.owned) == [0, 1]

    _, second = member_of("exact", member="second")
    assert second.owned == {}
    first.rebalance()
    second.rebalance()
    assert sorted([*first.owned, *second.owned]) == [0, 1]
    assert (len(first.owned), len(second.owned)) == (1, 1)

    _, third = member_of("exact", member="third")
    assert third.owned == {}

    first.leave()
    for member in (second, third):
        member.rebalance()
    assert (len(second.owned), len(third.owned)) == (1, 1)


def test_a_member_takes_its_share_and_no_more_whatever_the_plan() -> None:
    members = [member_of("exact", member=name)[1] for name in ("first", "second", "third")]
    members[0].leave()

    with nested_loops():
        members[1].rebalance()

    assert len(members[1].owned) == 1


def test_a_member_that_renews_keeps_its_partitions_and_a_silent_one_loses_them() -> None:
    _, first = member_of("exact", member="first")
    stop_for_longer_than_the_lease("first")
    renew(member="first")
    _, second = member_of("exact", member="second")
    assert second.owned == {}

    stop_for_longer_than_the_lease("first")
    second.rebalance()
    assert sorted(second.owned) == [0, 1]
    first.rebalance()
    assert sorted(first.owned) == []


def test_a_member_whose_connection_was_lost_takes_its_own_partitions_anew() -> None:
    _, membership = member_of("exact")
    generations = {each.generation for each in membership.owned.values()}
    membership.join()
    membership.rebalance()

    assert sorted(membership.owned) == [0, 1]
    assert {each.generation for each in membership.owned.values()}.isdisjoint(generations)


def test_groups_on_one_stream_do_not_disturb_each_other() -> None:
    give(sample(1, do="fail", where="exact"))
    for group in ALL:
        handle_all(group)

    assert [effects(group) for group in ALL] == [[], [1], [1]]


def test_a_handler_may_publish_in_its_own_transaction() -> None:
    give(sample(7, follow=True))
    handle_all("exact")

    follow_up: dict[str, Any] = OutboxMessage.objects.get(routing_key="followup").body
    cause = OutboxMessage.objects.get(routing_key="noted")
    assert follow_up["causationid"] == follow_up["correlationid"] == str(cause.message_id)
