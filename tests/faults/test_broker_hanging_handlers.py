"""Handlers that never come back: their partition goes on without them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.models import DeadLetter
from tests.support import broker_app
from tests.support.broker_app import effects, held_gate, publish_now, sample, tries, wait_until
from tests.support.broker_processes import Processes, real_processes


@pytest.fixture
def processes(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    with broker_app.installed(tmp_path):
        environment = process_environment | {
            broker_app.MARKS: str(tmp_path),
            "BROKER_TEST_TOPOLOGY": "tests.support.broker_app.strict_topology",
        }
        with real_processes(environment, tmp_path) as given:
            yield given


def test_a_handler_that_hangs_for_good_is_tried_again_then_dead_lettered_and_the_partition_goes_on(
    processes: Processes,
) -> None:
    broker = processes.broker()
    hanging = sample(2, do="hang")
    publish_now(sample(1), hanging, sample(3))
    wait_until(lambda: effects("exact") == [1, 3], seconds=30)

    letter = DeadLetter.objects.get()
    assert (letter.origin, letter.attempts) == ("group:exact", 3)
    assert letter.error.startswith("TimeLimitExceeded: The handler took longer than 1 s")
    assert "time.sleep(3600)" in letter.trace
    assert tries("exact", hanging) in (3, 4)  # the batch's is no attempt
    # The other groups of the process never noticed, nor did the process
    assert [effects(group) for group in ("atleast", "atmost")] == [[1, 2, 3]] * 2
    assert broker.poll() is None


@pytest.mark.parametrize(("group", "attempts"), [("atleast", 3), ("atmost", 1)])
def test_each_semantics_gives_a_hanging_handler_its_number_of_attempts(
    processes: Processes, group: str, attempts: int
) -> None:
    processes.broker()
    hanging = sample(2, do="hang", where=group)
    publish_now(hanging, sample(3))
    wait_until(lambda: effects(group) == [3], seconds=30)

    assert (DeadLetter.objects.get().attempts, tries(group, hanging)) == (attempts, attempts)


def test_a_handler_that_waits_for_a_lock_has_no_effect_once_its_time_is_over(processes: Processes) -> None:
    processes.broker()
    waiting = sample(1, do="wait")
    with held_gate():
        publish_now(waiting)
        wait_until(lambda: tries("exact", waiting) >= 2, seconds=15)
    # When the lock is free, Then the attempt that is on has its effect, and no other
    wait_until(lambda: effects("exact") == [1])
    publish_now(sample(2))
    wait_until(lambda: effects("exact") == [1, 2])
