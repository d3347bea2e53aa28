"""What the bus tells of commands, and who makes use of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import transaction
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from broker.bus import bus
from broker.dead_letters import MessageDeadLettered
from broker.event_store import EventsAppended
from catalog.models import Release
from tests.support import broker_app
from tests.support.broker_app import drain, publish_now, sample
from tests.support.catalog import a_draft

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def heard(kind: type) -> Iterator[list[object]]:
    """What the bus tells of this class inside the block."""
    events = list[object]()
    leave = bus.subscribe(kind, events.append)
    try:
        yield events
    finally:
        leave()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"{name}_total", labels) or 0.0


def test_events_are_told_and_counted_once_they_are_committed() -> None:
    before = counted("domain_events_appended", type="release.drafted")

    with heard(EventsAppended) as events, transaction.atomic():
        release = a_draft()
        assert events == []

    [happened] = events
    assert isinstance(happened, EventsAppended)
    assert happened.aggregate == f"release:{release.pk}"
    assert [event.type for event in happened.events] == ["release.drafted"]
    assert counted("domain_events_appended", type="release.drafted") == before + 1


def test_what_rolls_back_is_never_told() -> None:
    with heard(EventsAppended) as events, transaction.atomic():
        a_draft()
        transaction.set_rollback(True)

    assert events == []


def test_a_command_succeeds_although_an_observer_fails() -> None:
    def fail(_: EventsAppended) -> None:
        raise ValueError("told to fail")

    leave = bus.subscribe(EventsAppended, fail)
    try:
        release = a_draft()
    finally:
        leave()

    assert Release.objects.filter(pk=release.pk).exists()


def test_dead_letters_of_groups_queues_and_exchanges_are_told_logged_and_counted(tmp_path: Path) -> None:
    origins = ("exchange:samples", "group:exact", "queue:jobs")
    reasons = ("unroutable", "handler_failed", "handler_failed")
    before = [counted("broker_messages_buried", origin=o, reason=r) for o, r in zip(origins, reasons, strict=True)]

    with broker_app.installed(tmp_path), heard(MessageDeadLettered) as letters, capture_logs() as logs:
        publish_now(
            sample(1, routing_key="unheard"),
            sample(2, do="permanent"),
            sample(3, routing_key="job", do="permanent", where="jobs"),
        )
        drain()

    assert sorted(letter.origin for letter in letters if isinstance(letter, MessageDeadLettered)) == list(origins)
    logged = [line for line in logs if line["event"] == "message_dead_lettered"]
    assert sorted(line["origin"] for line in logged) == list(origins)
    after = [counted("broker_messages_buried", origin=o, reason=r) for o, r in zip(origins, reasons, strict=True)]
    assert after == [count + 1 for count in before]
