"""CloudEvents as they come over HTTP: read in each mode, refused by the name of each attribute at fault."""

import json
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.cloudevents import BATCH, STRUCTURED, CloudEvent, InvalidEvents, UnsupportedFormat, read

EVENT = {
    "specversion": "1.0",
    "id": "A-1",
    "source": "/aurora/planning",
    "type": "plan.made",
    "subject": "R 1",
    "time": "2030-01-02T03:04:05Z",
    "schemaversion": 2,
    "expirytime": "2030-02-02T03:04:05+01:00",
    "data": {"n": 1},
}
READ = CloudEvent(
    id="A-1",
    source="/aurora/planning",
    type="plan.made",
    subject="R 1",
    time=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
    version=2,
    expires_at=datetime(2030, 2, 2, 2, 4, 5, tzinfo=UTC),
    data={"n": 1},
)


def structured(event: Any, content_type: str = STRUCTURED) -> tuple[list[CloudEvent], bool]:
    return read(content_type=content_type, headers={}, body=json.dumps(event).encode())


def faults(event: Any, content_type: str = STRUCTURED) -> list[tuple[str, str]]:
    with pytest.raises(InvalidEvents) as refused:
        structured(event, content_type)
    return refused.value.faults


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in EVENT.items() if key != name}


def test_one_event_in_structured_mode() -> None:
    assert structured(EVENT, f"{STRUCTURED}; charset=utf-8") == ([READ], False)


def test_one_event_in_binary_mode() -> None:
    headers = {f"ce-{name}": str(value) for name, value in EVENT.items() if name != "data"}
    headers |= {"ce-subject": "R%201", "content-length": "7", "x-other": "y"}

    read_events = read(content_type="application/json; charset=utf-8", headers=headers, body=b'{"n":1}')
    assert read_events == ([READ], False)


def test_events_in_a_batch() -> None:
    assert structured([EVENT, EVENT | {"id": "A-2"}], BATCH)[0][1].id == "A-2"
    assert structured([], BATCH) == ([], True)


def test_only_what_is_required() -> None:
    (event,), _ = structured({name: EVENT[name] for name in ("specversion", "id", "source", "type", "data")})

    assert (event.version, event.subject, event.time, event.expires_at) == (1, "", None, None)


def test_data_may_be_in_base64_and_other_extensions_may_be_there() -> None:
    encoded = {"data_base64": b64encode(b'{"n":1}').decode(), "datacontenttype": "application/json", "ourownkey": True}

    assert structured(without("data") | encoded) == ([READ], False)


@pytest.mark.parametrize(
    "kind", ["application/cloudevents+avro", "application/cloudevents-batch+xml", "text/plain", ""]
)
def test_other_formats_are_not_supported(kind: str) -> None:
    with pytest.raises(UnsupportedFormat):
        read(content_type=kind, headers={}, body=b"{}")


@pytest.mark.parametrize(
    ("event", "attribute", "problem"),
    [
        (without("specversion"), "specversion", "is missing"),
        (EVENT | {"specversion": "0.3"}, "specversion", "must be 1.0"),
        (without("id"), "id", "is missing"),
        (EVENT | {"id": ""}, "id", "not empty"),
        (EVENT | {"id": 7}, "id", "must be text"),
        (EVENT | {"id": "a\x00"}, "id", "character"),
        (EVENT | {"id": "\ud800"}, "id", "character"),
        (EVENT | {"id": "é" * 128}, "id", "longer than 255 bytes"),
        (without("source"), "source", "is missing"),
        (EVENT | {"source": "a b"}, "source", "URI reference"),
        (without("type"), "type", "is missing"),
        (EVENT | {"type": "t" * 129}, "type", "longer than 128 bytes"),
        (EVENT | {"time": "yesterday"}, "time", "RFC 3339"),
        (EVENT | {"time": "2030-01-02T03:04:05"}, "time", "time zone"),
        (EVENT | {"expirytime": 5}, "expirytime", "RFC 3339"),
        (EVENT | {"schemaversion": 0}, "schemaversion", "from 1 on"),
        (EVENT | {"schemaversion": True}, "schemaversion", "from 1 on"),
        (EVENT | {"schemaversion": "9" * 9}, "schemaversion", "from 1 on"),
        (EVENT | {"subject": ""}, "subject", "not empty"),
        (EVENT | {"datacontenttype": "text/xml"}, "datacontenttype", "must be JSON"),
        (EVENT | {"datacontenttype": 3}, "datacontenttype", "must be JSON"),
        (EVENT | {"Key": "x"}, "Key", "is no name of an attribute"),
        (EVENT | {"key": {}}, "key", "must be text, a whole number or a boolean"),
        (EVENT | {"key": 1.5}, "key", "must be text, a whole number or a boolean"),
        (without("data"), "data", "must be a JSON object"),
        (EVENT | {"data": [1]}, "data", "must be a JSON object"),
        (without("data") | {"data_base64": "%"}, "data_base64", "is not JSON in base64"),
        ([EVENT], "event", "must be a JSON object"),
    ],
)
def test_each_attribute_is_refused_by_its_name(event: Any, attribute: str, problem: str) -> None:
    found = dict(faults(event))

    assert list(found) == [attribute]
    assert problem in found[attribute]


def test_every_fault_is_told_and_those_of_a_batch_by_number() -> None:
    assert [place for place, _ in faults({"data": {}})] == ["specversion", "id", "source", "type"]
    batch = [EVENT, without("id"), 5, EVENT | {"time": ""}]
    assert [place for place, _ in faults(batch, BATCH)] == ["1/id", "2/event", "3/time"]
    assert faults(EVENT, BATCH) == [("body", "must be a JSON array of events")]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidEvents) as refused:
        read(content_type=STRUCTURED, headers={}, body=body)
    assert refused.value.faults[0][0] == "body"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from([*EVENT, "data_base64", "datacontenttype", "traceparent", "other"]) | st.text(max_size=4)


@given(st.dictionaries(names, json_values) | st.dictionaries(names, json_values).map(lambda some: EVENT | some))
def test_anything_is_read_or_refused_and_nothing_else_happens(event: dict[str, Any]) -> None:
    with suppress(InvalidEvents):
        structured(event)
