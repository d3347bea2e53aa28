"""The schemas of messages: a change that breaks stored ones fails `manage.py broker_schemas --check`."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pydantic import BaseModel, ConfigDict
from pytest_django import Settings

from broker import schemas, snapshots
from ott import settings as ours

TYPE = "contract.sampled"


class First(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int
    note: str = ""


class Second(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int


@pytest.fixture(autouse=True)
def snapshot(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Path:
    """One registered type, and a snapshot of it."""
    for name in ("_registry", "_newest", "_upcasters"):
        monkeypatch.setattr(schemas, name, {})
    schemas.register(TYPE, version=1)(First)
    settings.BROKER_SCHEMA_SNAPSHOT = tmp_path / "schemas.json"
    run("--write")
    return tmp_path / "schemas.json"


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("broker_schemas", *arguments, stdout=out)
    return out.getvalue()


def replace_first(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    monkeypatch.setitem(schemas._registry, (TYPE, 1), model)


def test_what_is_agreed_upon_passes() -> None:
    assert run("--check") == "1 types are as agreed upon.\n"


def test_a_break_fails_by_name_and_cannot_be_written(monkeypatch: pytest.MonkeyPatch, snapshot: Path) -> None:
    before = snapshot.read_text()
    replace_first(monkeypatch, Second)

    for option in ("--check", "--write"):
        with pytest.raises(CommandError, match=f"{TYPE} version 1: note: field removed"):
            run(option)
    assert snapshot.read_text() == before


def test_a_change_that_breaks_nothing_asks_for_a_new_snapshot() -> None:
    schemas.register(TYPE, version=2)(Second)
    schemas.upcaster(TYPE, from_version=1)(lambda message: {"number": message.data["number"]})

    with pytest.raises(CommandError, match="The schemas have changed, and nothing breaks"):
        run("--check")
    run("--write")
    assert run("--check")


def test_words_are_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_first(monkeypatch, type("First", (First,), {"__doc__": "Other words."}))

    assert run("--check")


def test_the_table_has_a_line_for_each_field() -> None:
    lines = [line.split() for line in run().splitlines()]

    assert lines[0] == ["type", "version", "field", "is", "needed"]
    assert lines[2] == [TYPE, "1", "number", "integer", "yes"]
    assert lines[3] == ["note", "string"]


def test_programs_get_json() -> None:
    schema = json.loads(run("--json"))[TYPE]["versions"]["1"]

    assert schema["required"] == ["number"]


def test_the_platforms_own_messages_are_readable_as_agreed_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    agreed = json.loads(Path(ours.BROKER_SCHEMA_SNAPSHOT).read_text())

    now = snapshots.snapshot()
    assert snapshots.breaks(agreed, now) == []
    assert {type_: now[type_] for type_ in agreed} == agreed
