"""Work queues under an operator's hand and under floods: turns among sharers, pausing, lanes."""

import time
from collections.abc import Iterator
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import User
from broker import housekeeping, queues, wake, work
from broker.messages import from_body
from broker.models import OperatorAction, PausedQueue, WorkItem, WorkTurn
from ott.embedded.processes import COMMANDS
from ott.topology import topology as real_topology
from tests.support import broker_app
from tests.support.broker_app import effects, held_gate, in_threads, publish_now, relay_all, sample, wait_until
from tests.support.broker_processes import Processes, real_processes


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    with broker_app.installed(tmp_path):
        yield


@pytest.fixture
def processes(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    with real_processes(process_environment | {broker_app.MARKS: str(tmp_path)}, tmp_path) as given:
        yield given


def add(*numbers: int, tenant: str = "", **changes: Any) -> list[wake.WakeUp]:
    """Publish jobs of a tenant, and relay them; their wake-ups."""
    headers = {"tenant": tenant} if tenant else {}
    given: dict[str, Any] = {"routing_key": "job", "headers": headers, "key": f"of:{tenant}"} | changes
    publish_now(*(sample(n, **given) for n in numbers))
    return relay_all()


def run_next(times: int = 1) -> None:
    """Follow so many wake-ups, all of which name the same item."""
    newest = WorkItem.objects.latest("id").pk
    for _ in range(times):
        assert work.run(newest)


def test_a_tenant_that_floods_a_queue_delays_another_by_one_item() -> None:
    add(*range(50), tenant="flooding")
    run_next(3)
    add(100, 101, tenant="small")
    run_next(4)

    assert effects("jobs") == [0, 1, 2, 3, 100, 4, 101]


def test_tenants_take_turns_whoever_came_first() -> None:
    add(10, 11, 12, tenant="a")
    add(20, 21, tenant="b")
    add(30, tenant="c")
    run_next(6)

    assert effects("jobs") == [10, 20, 30, 11, 21, 12]


def test_an_idle_tenant_saves_up_no_turns_and_a_busy_one_owes_none() -> None:
    add(*range(5), tenant="busy")
    run_next(5)
    # The queue is empty, so all begin alike; tenants that have no turn any more are forgotten
    add(10, 11, tenant="busy")
    housekeeping.prune()
    add(20, 21, tenant="idle")
    run_next(4)

    assert effects("jobs")[5:] == [10, 20, 11, 21]
    assert WorkTurn.objects.count() == 2


def test_without_a_header_items_come_in_the_order_of_their_positions() -> None:
    add(3, 1, 2)
    run_next(3)

    assert effects("jobs") == [3, 1, 2]


def test_a_retry_comes_when_it_is_due_and_takes_nobodys_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "delay_after", lambda _: 3600.0)
    monkeypatch.setattr(wake, "send", lambda *_, **__: None)
    add(1, tenant="a", do="fail-once", where="jobs")
    add(2, 3, tenant="b")
    run_next(3)
    assert effects("jobs") == [2, 3]

    failed = WorkItem.objects.get(state="ready")
    assert work.run(failed.pk) is False
    WorkItem.objects.update(next_attempt_at=timezone.now())
    assert work.run(failed.pk)
    assert effects("jobs") == [2, 3, 1]


def test_many_workers_at_once_run_every_item_once_in_turn() -> None:
    wake_ups = add(*range(20), tenant="a") + add(*range(20, 40), tenant="b")
    ids = iter([wake_up.item_id for wake_up in wake_ups])
    in_threads(lambda: [work.run(item_id) for item_id in ids], 4)

    assert sorted(effects("jobs")) == list(range(40))


def test_relaying_twice_gives_no_second_turn() -> None:
    add(1, 2, tenant="a")
    items = [(work._queues()["jobs"], from_body(item.body)) for item in WorkItem.objects.order_by("id")]

    assert work.add(items) == []
    assert WorkTurn.objects.get(sharer="a").last_turn == 2


def test_a_paused_queue_is_not_claimed_from_nor_woken_for() -> None:
    add(1)
    assert queues.pause(queue="jobs", actor="me")
    assert not queues.pause(queue="jobs", actor="me")
    item = WorkItem.objects.get()
    WorkItem.objects.update(woken_at=None)

    assert work.run(item.pk) is False
    assert housekeeping.wake_due_items() == 0
    queues.resume(queue="jobs", actor="me")
    item.refresh_from_db()
    assert item.woken_at is not None  # a worker was sent for at once
    assert work.run(item.pk) is True
    assert effects("jobs") == [1]


def test_pausing_one_queue_stops_no_other() -> None:
    queues.pause(queue="jobs", actor="me")
    add(1, routing_key="followup")

    run_next()
    assert effects("followups") == [1]


def test_what_runs_when_a_queue_is_paused_is_finished() -> None:
    add(1)
    claim = work._claim(WorkItem.objects.get().pk)
    assert claim
    queues.pause(queue="jobs", actor="me")

    assert work._finish(claim, WorkItem.State.DONE)


def command(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def test_an_operator_pauses_and_resumes_by_command() -> None:
    add(1, 2)

    paused = command("broker_queue", "pause", "jobs")
    assert [line.split()[:4] for line in paused.splitlines() if line.startswith("jobs")] == [
        ["jobs", "default", "paused", "2"]
    ]
    assert "paused" not in command("broker_queue", "resume", "jobs")
    assert "alerts" in command("broker_queue", "list")
    assert list(OperatorAction.objects.order_by("id").values_list("verb", "target")) == [
        ("pause", "queue:jobs"),
        ("resume", "queue:jobs"),
    ]
    with pytest.raises(CommandError, match="There is no work queue 'jbos'; there are: alerts, followups, jobs, "):
        call_command("broker_queue", "pause", "jbos")


def test_an_operator_pauses_and_resumes_in_the_console(client: Client) -> None:
    client.force_login(User.objects.create_superuser(email="operator@test.example", password="long enough"))

    assert b"mailings" in client.get("/console/broker/pausedqueue/add/").content
    client.post("/console/broker/pausedqueue/add/", {"queue": "jobs"})
    assert set(PausedQueue.objects.values_list("queue", flat=True)) == {"jobs"}
    refused = client.post("/console/broker/pausedqueue/add/", {"queue": "unheard"})
    assert b"not one of the available choices" in refused.content
    client.post("/console/broker/pausedqueue/jobs/delete/", {"post": "yes"})
    assert not PausedQueue.objects.exists()
    assert set(OperatorAction.objects.values_list("actor", flat=True)) == {"operator@test.example"}


def test_every_lane_has_a_worker_and_urgent_ones_share_theirs_with_short_work_alone() -> None:
    lanes = [
        part.removeprefix("--queues=").split(",")
        for parts in COMMANDS.values()
        for part in parts
        if part.startswith("--queues=")
    ]

    assert {queue.lane for queue in real_topology.queues} <= set(chain(*lanes))
    # (Each lane before the next; and senders before all that could be sent, as one of them sends for all.)
    assert [each for each in lanes if "urgent" in each] == [["urgent", "default"]]
    assert [each for each in lanes if "bulk" in each] == [["bulk", "figures"]]
    assert [each for each in lanes if "sending" in each] == [["sending", "outbound-urgent", "outbound"]]


def running_queues() -> list[str]:
    return list(WorkItem.objects.filter(state="running").values_list("queue", flat=True))


def test_a_live_alert_never_waits_behind_bulk(processes: Processes) -> None:
    # Given the workers of `make up`, both at work
    processes.product("worker")
    processes.product("worker-bulk")
    wake.send(add(1, routing_key="alert") + add(1, routing_key="mailing"))
    wait_until(lambda: effects("alerts") == effects("mailings") == [1], seconds=40)

    with held_gate():
        # When bulk is flooded with work that does not end, and one of two ordinary slots is taken, too
        wake.send(add(*range(100, 400), routing_key="mailing", do="wait", where="mailings"))
        wake.send(add(2, do="wait", where="jobs"))
        wait_until(lambda: sorted(running_queues()) == ["jobs", "mailings", "mailings"])
        started = time.monotonic()
        wake.send(add(*range(100, 120), routing_key="alert"))

        # Then all alerts are through at once, and so is ordinary work beside the long one
        wait_until(lambda: len(effects("alerts")) == 21)
        assert time.monotonic() - started < 5
        wake.send(add(*range(3, 13)))
        wait_until(lambda: sorted(effects("jobs")) == list(range(3, 13)))
        assert effects("mailings") == [1]
    wait_until(lambda: len(effects("mailings")) > 1)


def test_a_worker_takes_what_is_more_urgent_first_whatever_came_first(processes: Processes) -> None:
    wake.send(add(*range(20)) + add(*range(20), routing_key="alert"))

    processes.product("worker")
    wait_until(lambda: len(effects("jobs")) == 20, seconds=40)

    with connection.cursor() as cursor:
        cursor.execute("SELECT place FROM effect ORDER BY id")
        places = [place for (place,) in cursor.fetchall()]
    # (It does two things at a time, so the first job may overtake the last alerts.)
    assert set(places[:18]) == {"alerts"}
