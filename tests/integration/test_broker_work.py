"""Work queues: one run at a time, retried, fenced by a token, woken again when a wake-up was lost."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.utils import timezone

from broker import backoff, housekeeping, wake, work
from broker.models import DeadLetter, OutboxMessage, WorkItem
from broker.tasks import run_work_item, wake_work_items
from broker.wake import WakeUp
from tests.support import broker_app
from tests.support.broker_app import (
    effects,
    held_gate,
    in_threads,
    nested_loops,
    publish_now,
    relay_all,
    sample,
    wait_until,
)


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(backoff, "BASE_SECONDS", 0.01)
    with broker_app.installed(tmp_path):
        yield


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """The wake-ups that would have been sent, with their delays."""
    calls: list[tuple[int, float]] = []

    def send(wake_ups: Any, *, delay: float = 0) -> None:
        calls.extend((wake_up.item_id, delay) for wake_up in wake_ups)

    monkeypatch.setattr(wake, "send", send)
    return calls


@pytest.fixture
def empty_redis() -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    client.flushall()
    yield client
    client.flushall()
    client.close()


def job(n: int = 1, **changes: Any) -> WorkItem:
    message = sample(n, routing_key="job", where="jobs", **changes)
    publish_now(message)
    relay_all()
    return WorkItem.objects.get(body__id=str(message.id))


def again(item: WorkItem) -> WorkItem:
    item.refresh_from_db()
    return item


def make_due(item: WorkItem) -> None:
    WorkItem.objects.filter(pk=item.pk).update(next_attempt_at=timezone.now())


def test_an_item_is_run_once_however_often_it_is_woken() -> None:
    item = job(7)

    assert [work.run(item.pk) for _ in range(3)] == [True, False, False]
    assert effects("jobs") == [7]
    assert (again(item).state, item.attempts, item.lease_token) == ("done", 1, None)


def test_of_many_workers_woken_at_once_one_runs_it() -> None:
    item = job()
    ran: list[bool] = []
    in_threads(lambda: ran.append(work.run(item.pk)), 6)

    assert sorted(ran) == [False] * 5 + [True]
    assert effects("jobs") == [1]


def test_a_wake_up_for_an_item_that_is_gone_does_nothing() -> None:
    run_work_item(987654)


def test_a_failure_is_tried_again_after_a_while(sent: list[tuple[int, float]]) -> None:
    item = job(do="fail-once")
    sent.clear()
    work.run(item.pk)

    assert (again(item).state, item.attempts, item.last_error) == ("ready", 1, "ValueError: told to fail at jobs")
    assert [item_id for item_id, _ in sent] == [item.pk]
    assert 0 <= sent[0][1] <= 0.02
    wait_until(lambda: work.run(item.pk))
    assert (again(item).state, item.attempts) == ("done", 2)
    assert effects("jobs") == [1]


def test_a_retry_in_the_far_future_is_left_to_the_beat(
    sent: list[tuple[int, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "delay_after", lambda _: 60.0)
    item = job(do="fail")
    work.run(item.pk)

    assert sent == []
    assert work.run(item.pk) is False
    make_due(item)
    assert housekeeping.wake_due_items() == 1


def test_after_the_last_attempt_it_is_dead() -> None:
    item = job(do="fail")
    for _ in range(3):
        make_due(item)
        assert work.run(item.pk)
    make_due(item)

    assert work.run(item.pk) is False
    assert again(item).state == "dead"
    letter = DeadLetter.objects.get()
    assert (letter.origin, letter.attempts, letter.position) == ("queue:jobs", 3, item.position)
    assert letter.error == "ValueError: told to fail at jobs"
    assert "_behave" in letter.trace


def test_a_permanent_failure_is_dead_at_once() -> None:
    item = job(do="permanent")
    work.run(item.pk)

    assert (again(item).state, item.attempts) == ("dead", 1)
    assert DeadLetter.objects.count() == 1


def test_a_worker_that_died_each_time_counts_as_that_many_attempts() -> None:
    item = job()
    for attempt in range(1, 4):
        # Given a worker that claimed it and was killed
        assert work._claim(item.pk)
        assert again(item).attempts == attempt
        WorkItem.objects.update(lease_expires_at=timezone.now())

    work.run(item.pk)

    assert again(item).state == "dead"
    assert effects("jobs") == []
    assert "the worker died" in DeadLetter.objects.get().error


def test_an_item_with_a_live_lease_is_left_alone_and_an_expired_one_is_taken() -> None:
    item = job()
    assert work._claim(item.pk)
    assert work.run(item.pk) is False

    WorkItem.objects.update(lease_expires_at=timezone.now())
    assert work.run(item.pk) is True
    assert again(item).attempts == 2


def test_whoever_lost_the_lease_can_neither_finish_nor_retry_nor_bury() -> None:
    item = job()
    stopped = work._claim(item.pk)
    assert stopped
    WorkItem.objects.update(lease_expires_at=timezone.now())
    current = work._claim(item.pk)
    assert current

    assert work._finish(stopped, WorkItem.State.DONE) is False
    work._retry(stopped, ValueError())
    work._bury(stopped, ValueError())
    assert (again(item).state, item.lease_token) == ("running", current.token)
    assert not DeadLetter.objects.exists()


def test_long_work_keeps_its_lease() -> None:
    # Given work that takes longer than its lease of two seconds
    item = job(do="wait")
    with held_gate():
        running = threading.Thread(target=lambda: in_threads(lambda: work.run(item.pk), 1))
        running.start()
        wait_until(lambda: again(item).state == "running")
        first = item.lease_expires_at
        assert first is not None
        wait_until(lambda: timezone.now() - first > timedelta(seconds=0.3))

        # Then nobody else gets it meanwhile
        assert work.run(item.pk) is False
    running.join(10)
    assert (again(item).state, item.attempts) == ("done", 1)


def test_an_expired_message_is_not_run() -> None:
    item = job(expires_at=timezone.now() - timedelta(seconds=1))
    work.run(item.pk)

    assert again(item).state == "expired"
    assert effects("jobs") == []


def test_an_unreadable_body_is_dead_at_once() -> None:
    item = job()
    WorkItem.objects.update(body={"type": "sample.noted"})
    work.run(item.pk)

    assert again(item).state == "dead"
    assert DeadLetter.objects.get().reason == "invalid"


def test_the_wake_up_names_the_item_in_its_lane(empty_redis: redis.Redis) -> None:
    wake.send([WakeUp(42, "media")])

    assert wake.waiting("media") == 1
    assert wake.waiting("default") == 0


def test_what_an_emptied_redis_lost_is_sent_again(empty_redis: redis.Redis) -> None:
    item = job()
    wake.send([WakeUp(item.pk, "default")])
    empty_redis.flushall()

    # While the wake-up may still be on its way, nothing is sent
    assert wake_work_items() == 0
    WorkItem.objects.update(woken_at=timezone.now() - timedelta(seconds=11))
    assert wake_work_items() == 1
    assert wake.waiting("default") == 1
    # And not again before as much time has passed
    assert wake_work_items() == 0


def test_an_item_whose_worker_was_killed_is_sent_again_when_its_lease_is_over(empty_redis: redis.Redis) -> None:
    item = job()
    WorkItem.objects.update(woken_at=timezone.now() - timedelta(seconds=11))
    assert work._claim(item.pk)
    assert wake_work_items() == 0

    WorkItem.objects.update(lease_expires_at=timezone.now())
    assert wake_work_items() == 1


def test_a_long_backlog_does_not_pile_up_in_redis(empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "LANE_FILL", 3)
    for n in range(5):
        job(n)
    for _ in range(3):
        WorkItem.objects.update(woken_at=None)
        wake_work_items()

    assert wake.waiting("default") == 3


def test_no_more_are_woken_than_there_is_room_for_whatever_the_plan(
    empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "LANE_FILL", 4)  # shared by the two queues of the lane
    for n in range(5):
        job(n)
    WorkItem.objects.update(woken_at=None)

    with nested_loops():
        assert wake_work_items() == 2


def test_redis_out_of_reach_does_not_hurt(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(current_app, "send_task", refuse)

    wake.send([WakeUp(1, "default")])


def test_the_sender_takes_wake_ups_from_the_relay_without_making_it_wait(empty_redis: redis.Redis) -> None:
    sender, stop = wake.Sender(capacity=2), threading.Event()
    started = time.monotonic()
    sender.put(WakeUp(n, "default") for n in range(5))  # the last three find no room
    assert time.monotonic() - started < 0.5

    thread = threading.Thread(target=sender.run, args=[stop])
    thread.start()
    wait_until(lambda: wake.waiting("default") == 2)
    stop.set()
    thread.join(5)


def test_pruning_keeps_what_is_open_recent_or_not_marked_yet() -> None:
    old, recent, unmarked, open_ = job(1), job(2), job(3), job(4)
    for item in (old, recent, unmarked):
        work.run(item.pk)
    long_ago = timezone.now() - timedelta(days=2)
    WorkItem.objects.filter(pk__in=[old.pk, unmarked.pk]).update(finished_at=long_ago)
    OutboxMessage.objects.filter(position__in=[old.position, recent.position]).update(relayed_at=long_ago)
    OutboxMessage.objects.filter(position=unmarked.position).update(relayed_at=None)

    assert housekeeping.prune() == 3  # two messages, one item
    assert set(WorkItem.objects.values_list("pk", flat=True)) == {recent.pk, unmarked.pk, open_.pk}
    assert set(OutboxMessage.objects.values_list("position", flat=True)) == {unmarked.position, open_.position}
