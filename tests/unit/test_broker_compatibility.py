"""Which changes of a schema break readers of stored messages, and by what name."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError, create_model

from broker.compatibility import breaks_between
from broker.snapshots import breaks


class Inner(BaseModel):
    x: int


class NarrowInner(BaseModel):
    x: int
    y: int


class Two(StrEnum):
    A = "a"
    B = "b"


def schema(**fields: Any) -> dict[str, Any]:
    given_ = {name: field if isinstance(field, tuple) else (field, ...) for name, field in fields.items()}
    model: type[BaseModel] = create_model("M", __config__={"extra": "forbid"}, **given_)  # type: ignore[call-overload]
    return model.model_json_schema()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (schema(a=int), schema(a=int)),
        (schema(a=int), schema(a=int | None)),
        (schema(a=int), schema(a=float)),
        (schema(a=int), schema(a=int | str)),
        (schema(a=int), schema(a=int, b=(str, ""))),
        (schema(a=int), schema(a=(int, 1))),
        (schema(a=UUID), schema(a=str)),
        (schema(a=Two), schema(a=str)),
        (schema(a=Literal["a"]), schema(a=Two)),
        (schema(a=Inner), schema(a=Inner | None)),
        (schema(a=Annotated[int, Field(ge=1, le=5)]), schema(a=Annotated[int, Field(ge=0, le=6)])),
        (schema(a=int | str), schema(a=str | None | int)),
    ],
)
def test_what_lets_everything_through_breaks_nothing(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert breaks_between(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (schema(a=int, b=int), schema(a=int), "b: field removed"),
        (schema(a=int), schema(b=int), "b: field added that stored messages lack, and required"),
        (schema(a=(int, 1)), schema(a=int), "a: made required"),
        (schema(a=str), schema(a=int), "a: type narrowed, string became integer"),
        (schema(a=float), schema(a=int), "a: type narrowed, integer or number became integer"),
        (schema(a=int | None), schema(a=int), "a: type narrowed, integer or null became integer"),
        (schema(a=str), schema(a=UUID), "a: type narrowed, format is uuid and was None"),
        (schema(a=str), schema(a=Two), "a: type narrowed, only ['a', 'b'] are left"),
        (schema(a=Two), schema(a=Literal["a"]), "a: type narrowed, without ['b']"),
        (schema(a=int), schema(a=Annotated[int, Field(ge=3)]), "a: type narrowed, minimum is 3 and was None"),
        (
            schema(a=Annotated[str, Field(max_length=9)]),
            schema(a=Annotated[str, Field(max_length=8)]),
            "a: type narrowed, maxLength is 8 and was 9",
        ),
        (schema(a=str), schema(a=Annotated[str, Field(pattern="^x")]), "a: type narrowed, pattern is ^x and was None"),
        (schema(a=Inner), schema(a=NarrowInner), "a.y: field added that stored messages lack, and required"),
        (schema(a=Inner | None), schema(a=NarrowInner | None), "a.y: field added that stored messages lack"),
        (schema(a=list[str]), schema(a=list[int]), "a[]: type narrowed, string became integer"),
        (schema(a=dict[str, str]), schema(a=dict[str, int]), "a.*: type narrowed, string became integer"),
        (schema(a=dict[str, Any]), schema(a=dict[str, int]), "a.*: type narrowed"),
        (schema(), Inner.model_json_schema() | {"additionalProperties": False}, "x: field added"),
        (Inner.model_json_schema(), schema(x=int), "data: type narrowed, fields without a name here are refused"),
    ],
)
def test_a_break_is_named(old: dict[str, Any], new: dict[str, Any], problem: str) -> None:
    assert any(problem in found for found in breaks_between(old, new)), breaks_between(old, new)


KINDS: list[Any] = [int, str, bool, float, UUID, Two, Literal["a", "c"], Inner, NarrowInner, list[int], dict[str, int]]
kinds = st.sampled_from([*KINDS, *(kind | None for kind in KINDS if kind is not Literal["a", "c"])])
fields = st.dictionaries(st.sampled_from("abc"), st.tuples(kinds, st.booleans()), max_size=3)
VALUES = [1, 1.5, "a", "c", "x", "12345678-1234-5678-1234-567812345678", True, None, {"x": 1}, {"x": 1, "y": 2}, [1]]


def a_model(fields: dict[str, tuple[Any, bool]]) -> type[BaseModel]:
    made = {name: (kind, ... if is_needed else None) for name, (kind, is_needed) in fields.items()}
    config = {"extra": "forbid", "strict": False}
    model: type[BaseModel] = create_model("M", __config__=config, **made)  # type: ignore[call-overload]
    return model


def fits(model: type[BaseModel]) -> Callable[[dict[str, Any]], bool]:
    is_valid: Callable[[dict[str, Any]], bool] = jsonschema.Draft202012Validator(model.model_json_schema()).is_valid
    return is_valid


@given(fields, fields, st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(VALUES)), max_size=20))
def test_data_that_fitted_still_fits_where_no_break_was_found(
    old: dict[str, tuple[Any, bool]], new: dict[str, tuple[Any, bool]], stored: list[dict[str, Any]]
) -> None:
    before, after = a_model(old), a_model(new)
    if breaks_between(before.model_json_schema(), after.model_json_schema()):
        return
    for data in filter(fits(before), stored):
        assert fits(after)(data)
        try:
            before.model_validate(data)
        except ValidationError:
            continue  # JSON schema cannot say all that pydantic asks
        after.model_validate(data)


ONE, OTHER = schema(a=int), schema(a=int, b=int)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (([1], []), ([], []), "t: the type has vanished"),
        (([1, 2], [1]), ([1], []), "t: version 2 has vanished, and it was newer than 1"),
        (([1], []), ([2], []), "t: version 1 has vanished, and there is no upcaster from version 1"),
        (([1], []), ([1, 2], []), "t: version 1 is older than the newest, and there is no upcaster from version 1"),
        (([2], [1]), ([3], [2]), "t: version 1 has vanished, and there is no upcaster from version 1"),
        (([1], []), ([3], [1]), "t: version 1 has vanished, and there is no upcaster from version 2"),
        (([2], [1]), ([2], []), "t: version 1 has vanished, and there is no upcaster from version 1"),
    ],
)
def test_versions_that_nobody_could_read_any_more_are_named(before: Any, after: Any, problem: str) -> None:
    assert breaks(entry(*before), entry(*after)) == [problem]


@pytest.mark.parametrize(
    ("before", "after"),
    [(([1], []), ([2], [1])), (([1], []), ([1, 2], [1])), (([2], [1]), ([3], [1, 2])), (([1], []), ([1], []))],
)
def test_a_version_may_go_when_an_upcaster_reads_it(before: Any, after: Any) -> None:
    assert breaks(entry(*before), entry(*after)) == []


def entry(versions: list[int], upcasters: list[int]) -> dict[str, Any]:
    return {"t": {"versions": {str(version): ONE for version in versions}, "upcasters": upcasters}}


def test_a_break_inside_a_version_names_the_type_and_the_version() -> None:
    before, after = entry([1], []), entry([1], [])
    before["t"]["versions"]["1"] = OTHER

    assert breaks(before, after) == ["t version 1: b: field removed"]
