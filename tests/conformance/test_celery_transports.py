"""Wake-ups over each transport that CELERY_BROKER_URL may name: Redis, RabbitMQ and SQS, with real workers."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings

from broker import housekeeping, wake
from broker.models import WorkItem
from broker.wake import WakeUp
from ott import health
from ott.embedded.ports import LOOPBACK, free_port
from ott.embedded.rabbitmq import RabbitMQ
from ott.heartbeats import silent
from tests.support import broker_app
from tests.support.broker_app import effects, publish_now, sample, wait_until
from tests.support.broker_processes import Processes, kill, real_processes
from tests.support.celery_transports import celery_on, sqs  # noqa: F401 - a fixture


@pytest.fixture(params=["redis", "rabbitmq", "sqs"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A transport's address; Celery in this thread uses it."""
    address = settings.REDIS_URL if request.param == "redis" else request.getfixturevalue(request.param).url
    with celery_on(address):
        yield address


@pytest.fixture
def processes(url: str, process_environment: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    environment = {"CELERY_BROKER_URL": url, "OTT_PROCESS": "worker", broker_app.MARKS: str(tmp_path)}
    with broker_app.installed(tmp_path), real_processes(process_environment | environment, tmp_path) as given:
        yield given


def test_wake_ups_are_counted_lane_by_lane(url: str) -> None:
    lane = f"lane-{uuid4().hex[:8]}"
    assert wake.waiting(lane) == 0

    wake.send([WakeUp(n, lane) for n in range(3)])
    wait_until(lambda: wake.waiting(lane) == 3)
    assert wake.waiting(f"{lane}-other") == 0


def test_a_worker_does_what_it_is_woken_for_tries_again_and_is_replaced(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a broker and a worker as `make up` starts them
    processes.broker()
    first = processes.product("worker")
    publish_now(*(sample(n, routing_key="job") for n in range(5)))
    publish_now(sample(5, routing_key="job", do="fail-once", where="jobs"))
    wait_until(lambda: sorted(effects("jobs")) == list(range(6)), seconds=40)
    # It shows that it lives, over the same connection
    wait_until(lambda: "worker" not in silent())

    # When it is killed with work in its hands
    publish_now(sample(6, routing_key="job", do="die-once", where="jobs"), sample(7, routing_key="job"))
    wait_until(lambda: WorkItem.objects.filter(state="running").exists())
    kill(first)

    # Then another one finishes it, though the transport holds back what the first had taken: the beat wakes anew
    processes.product("worker")
    monkeypatch.setattr(housekeeping, "UNHEARD_SECONDS", 1.0)

    def is_done() -> bool:
        housekeeping.wake_due_items()
        return not WorkItem.objects.exclude(state="done").exists()

    wait_until(is_done, seconds=40)

    # What was in hand may have had its effect before the kill, and has it again; nothing else has
    assert sorted(effects("jobs"))[:6] == list(range(6))
    assert set(effects("jobs")) == set(range(8))


def test_readiness_names_a_transport_that_is_away() -> None:
    with celery_on(f"amqp://guest:guest@{LOOPBACK}:{free_port()}//"):
        started = time.monotonic()
        outcome = health._outcome(health.CHECKS["wake-ups"])
        assert "Celery's transport does not answer" in str(outcome["detail"])
        # and nobody is held up by it
        wake.send([WakeUp(1, "default")])
        assert time.monotonic() - started < 10


def test_wake_ups_go_on_when_rabbitmq_was_away(rabbitmq: RabbitMQ) -> None:
    lane = f"lane-{uuid4().hex[:8]}"
    with celery_on(rabbitmq.url):
        wake.send([WakeUp(1, lane)])
        wait_until(lambda: wake.waiting(lane) == 1)
        rabbitmq.kill()
        wake.send([WakeUp(2, lane)])  # lost, and the beat's to send again
        rabbitmq.start()

        # Whatever the restarted node kept, what is sent now arrives
        def arrives() -> bool:
            before = wake.waiting(lane)
            wake.send([WakeUp(3, lane)])
            return wake.waiting(lane) > before

        wait_until(arrives)
