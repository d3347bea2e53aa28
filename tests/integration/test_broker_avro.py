"""Data in Avro: derived schemas, the single-object encoding, and what is read when the model has changed."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pydantic import AwareDatetime, BaseModel, ConfigDict

from broker import avro, formats, schemas
from broker.errors import InvalidMessage
from broker.messages import Format, Message, from_body, to_body
from broker.models import AvroSchema

TYPE = "avro.sampled"


class Colour(StrEnum):
    DEEP_RED = "deep-red"


class Inner(BaseModel):
    number: int
    next: str | None = None


class Sample(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    at: AwareDatetime
    day: date | None
    text: str
    number: int
    share: float
    yes: bool
    colour: Colour
    word: Literal["a", "b"]
    inner: Inner
    many: list[Inner]
    counts: dict[str, int]
    either: int | str | None = None


schemas.register(TYPE, version=1)(Sample)

VALUES: dict[str, Any] = {
    "id": "12345678-1234-5678-1234-567812345678",
    "at": "2030-01-02T05:04:05.000006+02:00",
    "day": "2030-01-02",
    "text": "Größe",
    "number": 2**40,
    "share": 0.25,
    "yes": True,
    "colour": "deep-red",
    "word": "a",
    "inner": {"number": 1, "next": None},
    "many": [{"number": 2, "next": "three"}],
    "counts": {"x": 1},
    "either": "text",
}


def sampled(**changes: Any) -> Message:
    return Message(type=TYPE, data=VALUES | changes, key="k", exchange="x", routing_key="", position=1)


@pytest.fixture(autouse=True)
def _nothing_kept(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro, "_by_fingerprint", {})


def test_data_comes_back_as_it_was_with_moments_in_utc() -> None:
    stored = to_body(formats.encode(sampled(), Format.AVRO))

    assert stored["datacontenttype"] == "avro/binary"
    assert "data" not in stored
    assert formats.decode(from_body(stored)).data == VALUES | {"at": "2030-01-02T03:04:05.000006Z"}


def test_it_is_what_any_avro_reader_reads_with_the_stored_schema() -> None:
    encoded = formats.encode(sampled(), Format.AVRO).encoded
    kept = AvroSchema.objects.get()

    assert encoded[:2] == b"\xc3\x01"
    assert encoded[2:10].hex() == kept.fingerprint
    assert (kept.type, kept.version, kept.definition["name"]) == (TYPE, 1, f"{TYPE}.v1")
    value: Any = fastavro.schemaless_reader(io.BytesIO(encoded[10:]), kept.definition, None)
    assert value["id"] == UUID(VALUES["id"])
    assert value["at"] == datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_a_message_outlives_the_model_that_it_was_written_with(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = to_body(formats.encode(sampled(), Format.AVRO))
    monkeypatch.setattr(schemas, "_registry", {})

    assert formats.decode(from_body(stored)).data["text"] == "Größe"


def test_a_schema_is_stored_once() -> None:
    formats.encode(sampled(), Format.AVRO)
    formats.encode(sampled(text="other"), Format.AVRO)

    assert AvroSchema.objects.count() == 1


def test_what_avro_cannot_hold_is_refused_by_name() -> None:
    with pytest.raises(InvalidMessage, match=r"data: cannot be written as Avro: .*number"):
        formats.encode(sampled(number=2**63), Format.AVRO)
    with pytest.raises(InvalidMessage, match=r"data\.number"):
        formats.encode(sampled(number="many"), Format.AVRO)


@pytest.mark.parametrize(
    ("encoded", "problem"),
    [
        (b"", "is not Avro in the single-object encoding"),
        (b"{}" * 20, "is not Avro in the single-object encoding"),
        (b"\xc3\x01" + b"12345678" + b"x", "the Avro schema 3132333435363738, which is not known here"),
    ],
)
def test_what_is_not_avro_is_refused_by_name(encoded: bytes, problem: str) -> None:
    with pytest.raises(InvalidMessage, match=problem) as refused:
        formats.decode(replace(sampled(), data={}, format=Format.AVRO, encoded=encoded))
    assert refused.value.field == "data_base64"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"data_base64": "no base64!"}, "data_base64"),
        ({"data_base64": None}, "data_base64"),
        ({"datacontenttype": "text/xml"}, "datacontenttype"),
    ],
)
def test_a_stored_body_that_cannot_be_read_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        from_body(to_body(formats.encode(sampled(), Format.AVRO)) | changes)
    assert refused.value.field == field


class TestRandomBytes(TestCase):
    """Whatever follows a good header is read or refused, and nothing else happens."""

    @given(st.binary(max_size=60), st.integers(0, 60))
    def test_spoilt_bytes_are_read_or_refused(self, noise: bytes, cut: int) -> None:
        good = formats.encode(sampled(), Format.AVRO)
        header, body = good.encoded[:10], good.encoded[10:]
        for spoilt in (header + noise, header + body[:cut] + noise, good.encoded[:cut]):
            try:
                avro.decode(spoilt)
            except ValueError:
                continue
