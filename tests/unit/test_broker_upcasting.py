"""Upcasting: a handler sees the newest version, whatever was stored."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from broker import schemas
from broker.errors import InvalidMessage
from broker.messages import Message

TYPE = "priced"


class Priced(BaseModel):
    """Version 3."""

    model_config = ConfigDict(extra="forbid")

    amount: int
    currency: str


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_registry", "_newest", "_upcasters"):
        monkeypatch.setattr(schemas, name, dict(getattr(schemas, name)))
    schemas.register(TYPE, version=3)(Priced)
    schemas.upcaster(TYPE, from_version=1)(_from_1)
    schemas.upcaster(TYPE, from_version=2)(_from_2)


def _from_1(message: Message) -> Mapping[str, Any]:
    return {"amount": message.data["price"]}


def _from_2(message: Message) -> Mapping[str, Any]:
    return {**message.data, "currency": message.subject}


def priced(version: int, **data: Any) -> Message:
    return Message(type=TYPE, version=version, data=data, key="k", exchange="x", routing_key="", subject="EUR")


def test_the_newest_version_is_left_as_it_is() -> None:
    message = priced(3, amount=1, currency="EUR")

    assert schemas.upcast(message) is message


def test_an_old_version_goes_through_every_step() -> None:
    message = priced(1, price=5)

    assert schemas.upcast(message) == replace(message, version=3, data={"amount": 5, "currency": "EUR"})


def test_a_type_that_nobody_registered_is_left_to_its_handler() -> None:
    message = replace(priced(1), type="unheard")

    assert schemas.upcast(message) is message


@pytest.mark.parametrize(
    ("message", "field", "problem"),
    [
        (priced(4), "schemaversion", "is newer than 3"),
        (priced(0), "schemaversion", "version 0 has no upcaster"),
        (priced(1, cost=5), "data", "version 1 cannot be upcast: KeyError: 'price'"),
        (priced(2, amount="much"), "data.amount", "valid integer"),
    ],
)
def test_what_cannot_be_brought_to_the_newest_version_is_refused_by_name(
    message: Message, field: str, problem: str
) -> None:
    with pytest.raises(InvalidMessage) as refused:
        schemas.upcast(message)
    assert refused.value.field == field
    assert problem in str(refused.value)


def test_a_version_has_one_upcaster() -> None:
    with pytest.raises(TypeError, match="priced version 1 has the upcaster _from_1 already"):
        schemas.upcaster(TYPE, from_version=1)(_from_2)
