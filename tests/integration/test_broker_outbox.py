"""Publishing: in a transaction or not at all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from broker.errors import InvalidMessage, NotInTransaction, Unroutable
from broker.messages import from_body
from broker.models import OutboxMessage
from broker.outbox import publish
from tests.support import broker_app
from tests.support.broker_app import in_threads, publish_now, sample


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    with broker_app.installed(tmp_path):
        yield


def test_it_stores_the_message_with_the_transaction() -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    message = sample(headers={"urgency": "high", "shards": 3, "dry": True}, traceparent=traceparent)
    with transaction.atomic():
        publish(message)

    row = OutboxMessage.objects.get()
    assert (row.message_id, row.key, row.position, row.relayed_at) == (message.id, "sample:1", None, None)
    assert from_body(row.body) == replace(message, hlc=row.body["hlc"])


def test_it_refuses_to_publish_outside_a_transaction() -> None:
    with pytest.raises(NotInTransaction):
        publish(sample())


def test_a_mandatory_message_that_nothing_is_bound_for_is_refused_by_name() -> None:
    with transaction.atomic():
        publish(sample(1), mandatory=True)
        with pytest.raises(Unroutable, match="exchange 'samples' takes a message with the routing key 'unheard'") as no:
            publish(sample(2, routing_key="unheard"), mandatory=True)
        # The transaction can go on: with a message that asks for nothing, for one
        publish(sample(3, routing_key="unheard"))

    assert (no.value.exchange, no.value.routing_key) == ("samples", "unheard")
    assert [row.body["data"]["n"] for row in OutboxMessage.objects.order_by("id")] == [1, 3]


def test_a_rolled_back_transaction_leaves_nothing() -> None:
    with transaction.atomic():
        publish(sample())
        transaction.set_rollback(True)

    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"type": "sample.unheard"}, "type", "no schema is registered for 'sample.unheard' version 1"),
        ({"version": 2}, "type", "no schema is registered for 'sample.noted' version 2"),
        ({"data": {"n": "many"}}, "data.n", "valid integer"),
        ({"data": {"n": 1, "extra": 2}}, "data.extra", "not permitted"),
        ({"data": {"n": 1, "text": "a\x00b"}}, "data", "NUL"),
        ({"data": {"n": 1, "text": "\ud800"}}, "data", "surrogates not allowed"),
        ({"key": "a\x00b"}, "key", "NUL"),
        ({"exchange": "unheard"}, "exchange", "there is no exchange 'unheard'"),
        ({"key": ""}, "key", "is empty"),
        ({"routing_key": "é" * 128}, "routing_key", "longer than 255 bytes"),
        ({"headers": {"shards": 1.5}}, "headers.shards", "must be text, int or bool, not float"),
        ({"headers": {"shards": 2**63}}, "headers.shards", "64 bits"),
        ({"headers": {1: "x"}}, "headers", "name must be text"),
        ({"expires_at": datetime(2030, 1, 1)}, "expires_at", "no time zone"),  # noqa: DTZ001 (that is the point)
        ({"data": {"n": 1, "text": "x" * 1_100_000}}, "message", "the limit is 1100000"),
        ({"exchange": "strict", "type": "sample.ignored"}, "type", "is not published to the exchange 'strict'"),
        ({"exchange": "strict", "routing_key": "sample.notedly"}, "routing_key", "must begin with the type"),
        ({"source": ""}, "source", "is empty"),
        ({"subject": "x" * 256}, "subject", "longer than 255 bytes"),
        ({"priority": 10}, "priority", "from 0 to 9"),
        ({"traceparent": "00-1-2-01"}, "traceparent", "W3C"),
        ({"headers": {"shards": None}}, "headers.shards", "must be text, int or bool, not NoneType"),
        ({"headers": {"shards": ["a"]}}, "headers.shards", "must be text, int or bool, not list"),
    ],
)
def test_it_refuses_an_invalid_message_by_name(changes: dict[str, Any], field: str, problem: str) -> None:
    with transaction.atomic(), pytest.raises(InvalidMessage) as refused:
        publish(sample(**changes))

    assert refused.value.field == field
    assert problem in str(refused.value)
    assert not OutboxMessage.objects.exists()


def test_the_longest_routing_key_is_accepted() -> None:
    with transaction.atomic():
        publish(sample(routing_key="x" * 255))

    assert OutboxMessage.objects.count() == 1


def test_a_payload_of_one_mebibyte_is_accepted() -> None:
    with transaction.atomic():
        publish(sample(text="x" * 2**20))

    assert OutboxMessage.objects.count() == 1


def test_ids_of_one_key_are_in_commit_order_under_concurrent_publishers() -> None:
    # Given eight threads that each note, under one key, how many notes they see committed before theirs
    def work() -> None:
        for _ in range(10):
            with transaction.atomic():
                message = sample()
                publish(message)
                # Whoever holds the key's lock sees every earlier publisher's row, committed
                seen = OutboxMessage.objects.exclude(message_id=message.id).count()
                OutboxMessage.objects.filter(message_id=message.id).update(body={"seen": seen})

    in_threads(work, 8)

    # Then the number seen is the row's place in id order
    bodies = OutboxMessage.objects.order_by("id").values_list("body", flat=True)
    assert [body["seen"] for body in bodies] == list(range(80))


def test_other_keys_do_not_wait() -> None:
    with transaction.atomic():
        publish(sample(key="sample:held"))
        in_threads(lambda: publish_now(sample(key="sample:free")), 1)

    assert OutboxMessage.objects.count() == 2


def test_the_relay_is_woken_once_for_a_transaction_with_many_messages() -> None:
    with transaction.atomic():
        for _ in range(3):
            publish(sample())
        assert len(connection.run_on_commit) == 1
