"""What operators do with consumer groups: pause, resume, reset, and see how far behind they are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from broker import backoff, clock, heads, offsets, queries
from broker.errors import InvalidTarget, LeaseLost, UnknownName
from broker.group_commands import pause, reset, resume
from broker.messages import Message
from broker.models import GroupPartition, OperatorAction, OutboxMessage, StreamMessage
from broker.offsets import Anchor
from broker.routing import partition_for
from broker.streams import engine
from tests.support import broker_app
from tests.support.broker_app import advance, effects, handle_all, member_of, publish_now, relay_all, sample

PARTITION = partition_for("sample:1", 2)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(backoff, "BASE_SECONDS", 0.01)
    with broker_app.installed(tmp_path):
        yield


def give(*messages: Message) -> None:
    publish_now(*messages)
    relay_all()


def place() -> GroupPartition:
    return GroupPartition.objects.get(group="exact", partition=PARTITION)


def test_a_paused_group_handles_nothing_until_it_is_resumed() -> None:
    assert pause(group="exact", actor="ada", dry_run=True)
    assert pause(group="exact", actor="ada")
    assert not pause(group="exact", actor="ada", dry_run=True)
    assert not pause(group="exact", actor="ada")
    give(sample(1))
    handle_all("exact")
    assert effects("exact") == []
    assert {lag.state for lag in queries.lag()} == {"paused"}

    assert resume(group="exact", actor="ada")
    handle_all("exact")
    assert effects("exact") == [1]
    assert list(OperatorAction.objects.order_by("id").values_list("actor", "verb", "target")) == [
        ("ada", "pause", "group:exact"),
        ("ada", "resume", "group:exact"),
    ]


def test_what_is_being_handled_when_a_group_is_paused_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    give(sample(1))
    runner, membership = member_of("exact")
    original = runner._handlers["sample.noted"]

    def paused_meanwhile(message: Message) -> None:
        broker_app.in_threads(lambda: pause(group="exact", actor="ada"), 1)
        original(message)

    monkeypatch.setattr(runner, "_handlers", {"sample.noted": paused_meanwhile})
    with pytest.raises(LeaseLost):
        advance(runner, membership)
    membership.rebalance()
    assert (effects("exact"), membership.owned) == ([], {})

    resume(group="exact", actor="ada")
    handle_all("exact")
    assert effects("exact") == [1]


def test_a_reset_to_the_earliest_handles_everything_again() -> None:
    give(sample(1), sample(2))
    OutboxMessage.objects.update(relayed_at=None)
    give(sample(3))  # and the first two once more, as the relay does after a kill
    handle_all("exact")
    would = reset(group="exact", target=Anchor.EARLIEST, actor="ada", dry_run=True)
    handle_all("exact")
    assert effects("exact") == [1, 2, 3]

    done = reset(group="exact", target=Anchor.EARLIEST, actor="ada")
    assert would == done
    assert [(move.again, move.skipped) for move in done if move.partition == PARTITION] == [(5, 0)]
    handle_all("exact")
    assert effects("exact") == [1, 2, 3, 1, 2, 3]
    [action] = OperatorAction.objects.all()
    assert (action.before[str(PARTITION)], action.after[str(PARTITION)], action.after["target"]) == (5, 0, "earliest")


def test_a_reset_to_the_latest_leaves_out_what_waits_also_when_it_is_appended_again() -> None:
    give(sample(1), sample(2))
    assert sum(move.skipped for move in reset(group="exact", target=Anchor.LATEST, actor="ada")) == 2
    OutboxMessage.objects.update(relayed_at=None)
    give(sample(3))
    handle_all("exact")

    assert effects("exact") == [3]


def test_a_reset_to_an_offset_moves_the_named_partition_alone() -> None:
    give(*(sample(n) for n in range(4)), sample(9, key=other_key()))
    handle_all("exact")
    assert len(reset(group="exact", target=2, actor="ada", partition=PARTITION)) == 1
    handle_all("exact")

    assert sorted(effects("exact")) == [0, 1, 2, 2, 3, 3, 9]
    with pytest.raises(InvalidTarget, match="5 is beyond the end of log"):
        reset(group="exact", target=5, actor="ada")
    with pytest.raises(InvalidTarget, match="partition 7 is none of the 2 of stream 'log'"):
        reset(group="exact", target=0, actor="ada", partition=7)
    with pytest.raises(UnknownName, match="There is no group 'exakt'; there are: atleast, atmost, exact"):
        reset(group="exakt", target=0, actor="ada")


def other_key() -> str:
    return next(f"sample:{n}" for n in range(100) if partition_for(f"sample:{n}", 2) != PARTITION)


def test_a_reset_to_a_time_takes_everything_of_that_time_or_later_and_little_more() -> None:
    minutes = [0, 1, 3, 2, 4, 60, 61, 59, 62, 120]  # as they lie in the log: a little out of order
    give(*(sample(n, time=START + timedelta(minutes=n)) for n in minutes))
    StreamMessage.objects.filter(offset=4).update(body={"time": "nobody can read it"})

    def read_from(minute: int) -> list[int]:
        [move] = reset(
            group="exact", target=START + timedelta(minutes=minute), actor="ada", partition=PARTITION, dry_run=True
        )
        return minutes[move.after :]

    assert read_from(-10) == minutes
    assert read_from(3) == minutes[2:]
    assert read_from(59) == minutes[5:]
    assert read_from(62) == minutes[8:]
    assert read_from(63) == [120]
    assert read_from(121) == []


def test_a_reset_begins_at_the_first_entry_that_was_not_trimmed() -> None:
    give(*(sample(n) for n in range(4)))
    handle_all("exact")
    engine().trim("log", PARTITION, 2)
    for target in (Anchor.EARLIEST, 0, START - timedelta(days=9000)):
        [move] = reset(group="exact", target=target, actor="ada", partition=PARTITION, dry_run=True)
        assert (move.before, move.after, move.again) == (4, 2, 2)


def test_a_member_that_is_at_work_goes_on_from_where_the_group_was_reset_to() -> None:
    give(sample(1), sample(2))
    runner, membership = member_of("exact")
    advance(runner, membership)
    reset(group="exact", target=1, actor="ada", partition=PARTITION)
    give(sample(3))
    with pytest.raises(LeaseLost):
        advance(runner, membership)
    membership.rebalance()
    advance(runner, membership)

    assert effects("exact") == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("text", "target"),
    [("earliest", Anchor.EARLIEST), ("latest", Anchor.LATEST), ("17", 17), ("2026-01-01T12:00Z", START)],
)
def test_a_target_is_read_from_text(text: str, target: offsets.Target) -> None:
    assert offsets.parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "problem"),
    [("2026-01-01T12:00", "no time zone"), ("yesterday", "yesterday is none of"), ("-1", "none of")],
)
def test_a_target_that_means_nothing_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidTarget, match=problem):
        offsets.parse_target(text)


def test_lag_is_told_in_messages_and_in_seconds() -> None:
    give(sample(1, time=clock.now() - timedelta(seconds=90)))
    handle_all("exact")
    give(sample(2, time=clock.now() - timedelta(seconds=90)), sample(3))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE broker_streammessage SET appended_at = appended_at - interval '1 minute'")

    [behind] = [lag for lag in queries.lag() if lag.lag]
    assert (behind.lag, behind.partition) == (2, PARTITION)
    assert 60 <= behind.seconds < 70
    assert {lag.seconds for lag in queries.lag() if not lag.lag} == {0.0}
    # An engine that says nothing of when it appended counts from the message's own time
    asked = heads._asked(("log", PARTITION, 1), engine().end("log", PARTITION))
    assert asked.end == 3
    assert 90 <= asked.seconds < 100
