"""The AsyncAPI document: valid by AsyncAPI's own schema, complete, and true of what is stored and sent."""

import json
import re
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
from django.test import Client
from pytest_django import Settings

from broker import schemas
from broker.models import OutboxMessage, StreamMessage, WorkItem
from catalog.commands import publish_release
from ott.topology import topology
from tests.support.broker_app import drain
from tests.support.catalog import a_draft, with_asset

HERE = Path(__file__).parent
LIVE = (HERE.parents[1] / "docs/live-protocol.md").read_text()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    answer = Client().get("/api/v1/asyncapi.json")
    assert answer.status_code == 200
    return cast("dict[str, Any]", answer.json())


def follow(document: dict[str, Any], part: dict[str, Any]) -> Any:
    while "$ref" in part:
        found: Any = document
        for word in part["$ref"].removeprefix("#/").split("/"):
            found = found[word.replace("~1", "/").replace("~0", "~")]
        part = found
    return part


def fitting(document: dict[str, Any], channel: str, body: Any) -> list[str]:
    """The messages of a channel that a body is valid against."""
    messages = document["channels"][channel]["messages"]
    return [
        name
        for name, message in messages.items()
        if jsonschema.Draft7Validator(
            {**follow(document, message)["payload"], "components": document["components"]}
        ).is_valid(body)
    ]


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for value in part.values() for found in references(value)]
    return [found for value in part for found in references(value)] if isinstance(part, list) else []


def test_it_is_valid_by_the_published_schema(document: dict[str, Any]) -> None:
    schema = json.loads((HERE / "asyncapi/3.0.0.json").read_text())

    errors = jsonschema.Draft7Validator(schema).iter_errors(document)
    assert [error.message[:300] for error in errors] == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    assert references(document)
    for reference in references(document):
        assert follow(document, {"$ref": reference}) is not None


def test_it_covers_the_whole_topology_and_every_type_that_is_published(document: dict[str, Any]) -> None:
    assert set(document["channels"]) == {
        *(f"exchange.{exchange.name}" for exchange in topology.exchanges),
        *(f"stream.{stream.name}" for stream in topology.streams),
        *(f"queue.{queue.name}" for queue in topology.queues),
        "live",
    }
    assert {f"group.{group.name}" for group in topology.groups} < set(document["operations"])
    for name, channel in document["channels"].items():
        assert channel["messages"], f"{name} carries no message: name the types of its exchange in ott/topology.py"
    ours = {type_ for exchange in topology.exchanges for type_ in exchange.types}
    told = {message["name"] for message in document["components"]["messages"].values()}
    assert ours <= told
    assert ours <= {type_ for type_, _ in schemas.registered()}


def test_groups_receive_what_they_handle(document: dict[str, Any]) -> None:
    for group in topology.groups:
        messages = document["operations"][f"group.{group.name}"]["messages"]
        assert {follow(document, message)["name"] for message in messages} == set(group.handlers), group.name


@pytest.mark.django_db(transaction=True)
def test_what_is_stored_is_valid_against_exactly_one_message_of_its_channel(
    document: dict[str, Any], settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    publish_release(release_id=a_draft().pk, actor=None)
    with_asset(a_draft())
    drain()

    stored = [(f"exchange.{row.exchange}", row.body) for row in OutboxMessage.objects.all()]
    stored += [(f"stream.{row.stream}", row.body) for row in StreamMessage.objects.all()]
    stored += [(f"queue.{row.queue}", row.body) for row in WorkItem.objects.all()]
    assert {"exchange.catalog", "stream.releases", "stream.listings", "queue.encode"} <= {place for place, _ in stored}
    for place, body in stored:
        assert fitting(document, place, body) == [body["type"]], f"{place}: {body}"


def test_the_frames_that_the_live_protocols_document_shows_are_valid(document: dict[str, Any]) -> None:
    blocks = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", LIVE, re.DOTALL)]
    shown = [json.loads(text.replace("…", "e")) for text in re.findall(r"^\| `(\{[^{}]*\})` \|", LIVE, re.MULTILINE)]

    for side, frames in (("server", blocks), ("client", shown)):
        assert frames
        for frame in frames:
            assert f"{side}.{frame['type']}" in fitting(document, "live", frame), frame


def test_it_names_every_frame_of_the_live_protocol(document: dict[str, Any]) -> None:
    told = {name.partition(".")[2] for name in document["channels"]["live"]["messages"]}

    client = {"resume", "ack", "read", "unread", "dismiss", "restore", "pong"}
    assert told == client | {"welcome", "notification", "read", "reset", "ping", "error"}


def test_the_live_server_is_where_the_document_came_from() -> None:
    answer = Client().get("/api/v1/asyncapi.json", secure=True, headers={"host": "localhost:8443"})

    assert answer.json()["servers"]["live"] == {
        "host": "localhost:8443",
        "protocol": "wss",
        "description": "The live connection",
    }


@pytest.mark.django_db
def test_the_page_tells_of_every_channel_and_message_under_the_strict_policy(document: dict[str, Any]) -> None:
    answer = Client().get("/asyncapi/")
    page = answer.content.decode()

    assert answer.status_code == 200
    for key in (*document["channels"], *document["components"]["messages"]):
        assert f'id="{key}"' in page
    assert "changed_at" in page
    assert 'class="messages"' not in page, "the name is taken: those are what a page tells its reader"
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"<style|<script>|\sstyle=|\son\w+=", page)
