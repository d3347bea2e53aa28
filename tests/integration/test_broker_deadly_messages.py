"""Messages whose handler kills the process: counted before they are tried, dead-lettered, and nobody else's fault."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from broker import backoff
from broker.groups import DIED, GroupRunner
from broker.messages import Message
from broker.models import DeadLetter, GroupMember, GroupPartition
from broker.routing import partition_for
from tests.support import broker_app
from tests.support.broker_app import (
    advance,
    effects,
    handle_all,
    held_gate,
    member_of,
    publish_now,
    relay_all,
    sample,
    tries,
    wait_until,
)

COUNTING = ("exact", "atleast")


class Killed(BaseException):
    """What `kill -9` is to the code that it ends: nothing after it runs."""


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(backoff, "BASE_SECONDS", 0.01)
    with broker_app.installed(tmp_path):
        monkeypatch.setattr(os, "kill", die)
        yield


def give(*messages: Message) -> None:
    publish_now(*messages)
    relay_all()


def live_and_die(group: str, *, batch: int = 1) -> None:
    """A process handles what it can, is dead afterwards, and everybody has noticed."""
    runner, membership = member_of(group, member="mortal")
    runner = GroupRunner(replace(runner.group, batch=batch))
    with suppress(Killed):
        while advance(runner, membership):
            pass
    long_ago = timezone.now() - timedelta(seconds=30)
    # Another process is another member
    GroupPartition.objects.filter(owner="mortal").update(owner="dead", lease_expires_at=long_ago)
    GroupMember.objects.filter(member="mortal").delete()


def place_of(group: str) -> GroupPartition:
    return GroupPartition.objects.get(group=group, partition=partition_for("sample:1", 2))


@pytest.mark.parametrize(("group", "batch"), [("exact", 1), ("exact", 10), ("atleast", 1)])
def test_a_message_that_kills_its_process_each_time_is_a_dead_letter_after_its_attempts(group: str, batch: int) -> None:
    deadly = sample(3, do="die", where=group)
    give(sample(1), sample(2), deadly, sample(4), sample(5))
    for _ in range(5):
        live_and_die(group, batch=batch)

    letter = DeadLetter.objects.get()
    assert (letter.message_id, letter.attempts, letter.error) == (deadly.id, 3, DIED)
    assert tries(group, deadly) == 4  # the first death told only that it might be this one
    assert effects(group) == [1, 2, 4, 5]
    assert (place_of(group).attempts, place_of(group).next_offset) == (0, 5)


@pytest.mark.parametrize("group", COUNTING)
def test_whoever_dies_between_messages_counts_against_none(group: str) -> None:
    give(sample(1, do="fail-once", where=group), sample(2))
    for _ in range(4):
        member_of(group, member="mortal")
        GroupPartition.objects.update(owner="dead", lease_expires_at=timezone.now() - timedelta(seconds=30))
    handle_all(group)

    assert effects(group) == [1, 2]
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("group", COUNTING)
def test_one_that_was_not_to_blame_is_handled_and_forgotten_about(group: str) -> None:
    once, failing = sample(1, do="die-once", where=group), sample(2, do="fail", where=group)
    give(once, failing, sample(3))
    live_and_die(group)
    handle_all(group)

    assert (tries(group, once), effects(group)) == (2, [1, 3])
    assert DeadLetter.objects.get().attempts == tries(group, failing) == 3


def test_at_most_once_leaves_out_what_its_process_died_with() -> None:
    deadly = sample(1, do="die", where="atmost")
    give(deadly, sample(2))
    live_and_die("atmost")
    handle_all("atmost")

    assert (tries("atmost", deadly), effects("atmost")) == (1, [2])
    assert not DeadLetter.objects.exists()


def test_of_messages_that_may_be_deadly_a_process_handles_one_at_a_time_so_that_no_other_is_counted() -> None:
    slow = sample(1, do="wait", where="exact")
    give(slow)
    owned = []
    for group in COUNTING:
        member_of(group, member="mortal")
        GroupPartition.objects.update(owner="dead", lease_expires_at=timezone.now() - timedelta(seconds=30))
        owned.append(member_of(group))

    def run(number: int) -> None:
        advance(*owned[number])
        connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    with held_gate():
        threads[0].start()
        wait_until(lambda: tries("exact", slow) == 1)
        threads[1].start()
        threads[1].join(0.2)
        assert [place_of(group).attempts for group in COUNTING] == [1, 0]
        assert tries("atleast", slow) == 0
    for thread in threads:
        thread.join(10)
    assert [effects(group) for group in COUNTING] == [[1], [1]]
    assert [place_of(group).attempts for group in COUNTING] == [0, 0]
