"""The message as JSON, and the registry of schemas."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from broker import schemas
from broker.errors import InvalidMessage
from broker.messages import Message, from_body, to_body, to_text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
headers = st.dictionaries(
    st.text(min_size=1, max_size=8), st.text(max_size=8) | st.booleans() | st.integers(-(2**63), 2**63 - 1), max_size=3
)
times = st.datetimes(timezones=st.just(UTC))
messages = st.builds(
    Message,
    type=st.text(min_size=1, max_size=20),
    data=st.dictionaries(st.text(max_size=5), json_values, max_size=4),
    key=st.text(min_size=1, max_size=20),
    exchange=st.text(min_size=1, max_size=20),
    routing_key=st.text(max_size=20),
    subject=st.text(max_size=20),
    version=st.integers(1, 9),
    time=times,
    headers=headers,
    priority=st.integers(0, 9),
    expires_at=st.none() | times,
    correlation_id=st.none() | st.uuids(),
    causation_id=st.none() | st.uuids(),
    traceparent=st.text(max_size=55),
    hlc=st.text("0123456789abcdef", max_size=16),
    position=st.none() | st.integers(1, 2**62),
)


@given(messages)
def test_a_message_comes_back_from_json_as_it_was(message: Message) -> None:
    assert from_body(json.loads(to_text(message))) == message


def test_the_body_is_a_cloudevent() -> None:
    message = Message(
        id=UUID(int=1),
        type="release.published",
        subject="release:1",
        key="release:1",
        exchange="catalog",
        routing_key="release.published.movies",
        data={"title": "Dawn"},
        time=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
    )

    assert to_body(message) == {
        "specversion": "1.0",
        "id": "00000000-0000-0000-0000-000000000001",
        "type": "release.published",
        "source": "/marquee",
        "subject": "release:1",
        "time": "2030-01-02T03:04:05+00:00",
        "datacontenttype": "application/json",
        "schemaversion": 1,
        "partitionkey": "release:1",
        "exchange": "catalog",
        "routingkey": "release.published.movies",
        "priority": 0,
        "data": {"title": "Dawn"},
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, "id"),
        ({"id": "not-a-uuid"}, "id"),
        ({"time": "yesterday"}, "time"),
        ({"time": 5}, "time"),
        ({"data": None}, "data"),
        ({"data": "text"}, "data"),
        ({"schemaversion": "one"}, "schemaversion"),
        ({"partitionkey": None}, "partitionkey"),
        ({"headers": 3}, "headers"),
        ({"position": "first"}, "position"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    body = to_body(Message(type="t", data={}, key="k", exchange="x", routing_key=""))

    with pytest.raises(InvalidMessage) as refused:
        from_body(body | changes)
    assert refused.value.field == field


def test_a_consequence_keeps_the_correlation_and_the_trace() -> None:
    cause = Message(type="a", data={}, key="k", exchange="x", routing_key="", traceparent="00-1-2-01")
    effect = Message(type="b", data={}, key="k", exchange="x", routing_key="").caused_by(cause)
    second = Message(type="c", data={}, key="k", exchange="x", routing_key="").caused_by(effect)

    assert (effect.causation_id, effect.correlation_id, effect.traceparent) == (cause.id, cause.id, "00-1-2-01")
    assert (second.causation_id, second.correlation_id) == (effect.id, cause.id)


def test_a_schema_must_forbid_what_it_does_not_know() -> None:
    class Loose(BaseModel):
        pass

    with pytest.raises(TypeError, match="The schema Loose must forbid extra fields"):
        schemas.register("loose", version=1)(Loose)


def test_two_schemas_cannot_share_a_type_and_version() -> None:
    name = f"shared-{uuid4()}"

    class First(BaseModel):
        model_config = ConfigDict(extra="forbid")

    class Second(BaseModel):
        model_config = ConfigDict(extra="forbid")

    schemas.register(name, version=1)(First)
    schemas.register(name, version=2)(Second)
    with pytest.raises(TypeError, match="version 1 is registered as First already"):
        schemas.register(name, version=1)(Second)
    assert schemas.registered()[name, 2] is Second
