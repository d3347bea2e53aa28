"""While a crowd resumes, what may wait waits; live alerts do not."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from broker.messages import Message
from notifications import crowds
from notifications.events import notification_posted
from notifications.insight.audience import measure_audience
from notifications.models import Notification
from notifications.outbound import tasks
from notifications.outbound.events import deliveries_wanted
from notifications.outbound.models import Lane
from ott.topology import topology

from .live_support import Client, LiveServer, eventually
from .notifications_support import post

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _without_a_crowd() -> Iterator[None]:
    crowds.forget()
    yield
    crowds.forget()


def posted(notification: Notification) -> Message:
    return notification_posted(notification, {})


def wanted(notification: Notification) -> Message:
    return deliveries_wanted(notification, first=1, last=2)


def test_many_who_resume_are_announced_and_whoever_may_wait_goes_on_when_they_are_in(
    live_web: LiveServer, subscriber: User
) -> None:
    with ExitStack() as tabs, ThreadPoolExecutor() as threads:
        crowd = [tabs.enter_context(Client(live_web, subscriber)) for _ in range(crowds.CROWD)]
        assert not crowds.is_announced()

        # Given a crowd that waits for the database
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE notifications_subscription IN ACCESS EXCLUSIVE MODE")
            for one in crowd:
                one.send(type="resume")
            eventually(crowds.is_announced)

            # When there is something to do that may wait
            passing = threads.submit(crowds.let_pass)
            eventually(crowds.is_announced)
            assert not passing.done()

        # Then it is done when all are in
        for one in crowd:
            one.next("welcome")
        passing.result(timeout=10)
        assert not crowds.is_announced()


@pytest.mark.parametrize(
    ("handle", "message"),
    [(tasks.plan_deliveries, posted), (tasks.create_deliveries, wanted), (measure_audience, posted)],
)
def test_what_may_wait_lets_a_crowd_pass(
    handle: Callable[[Message], None], message: Callable[[Notification], Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowds, "KNOWN_SECONDS", 1)
    about = message(post("Low Tide"))
    crowds.announce()

    handle(about)

    assert not crowds.is_announced()


@pytest.mark.parametrize(("handle", "message"), [(tasks.plan_alerts, posted), (tasks.create_alerts, wanted)])
def test_a_live_alert_waits_for_no_crowd(
    handle: Callable[[Message], None], message: Callable[[Notification], Message]
) -> None:
    about = message(post("Kick-off", kind="live_event"))
    assert about.data.get("lane", Lane.LIVE) == Lane.LIVE
    crowds.announce()

    handle(about)

    assert crowds.is_announced()


def test_no_item_waits_for_longer_than_a_stopping_worker_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "PATIENCE_SECONDS", 0.1)
    crowds.announce()

    crowds.let_pass()

    assert crowds.is_announced()


def test_a_crowd_that_never_ends_is_waited_for_in_its_beginning_alone_and_the_next_one_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crowds, "LONGEST_SECONDS", 1)
    monkeypatch.setattr(crowds, "APART_SECONDS", 2)

    def is_waited_for() -> bool:
        crowds.announce()
        return crowds.is_announced()

    assert is_waited_for()
    eventually(lambda: not is_waited_for())

    time.sleep(crowds.APART_SECONDS + 0.1)  # what Redis is to forget by itself cannot be polled for
    assert is_waited_for()


def test_the_queues_of_live_alerts_are_those_whose_handlers_wait_for_no_crowd() -> None:
    waiting = {queue.name for queue in topology.queues if queue.lane in {"bulk", "figures"}}
    handlers = {queue.name: queue.handler.rpartition(".")[2] for queue in topology.queues}

    assert waiting == {"plan_deliveries", "create_deliveries", "measure_audience"}
    assert {name for name, handler in handlers.items() if handler in waiting} == waiting
    assert (handlers["plan_alerts"], handlers["create_alerts"]) == ("plan_alerts", "create_alerts")


def test_without_redis_nobody_waits(settings: Any) -> None:
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://127.0.0.1:1"}}

    crowds.let_pass()
