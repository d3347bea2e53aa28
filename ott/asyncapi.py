"""The AsyncAPI document of the platform: the broker's topology, and the live connection beside it."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from broker import asyncapi
from broker.asyncapi import SCHEMAS, Document, reference
from broker.current import current_topology
from broker.field_words import fields_in_words
from notifications.live.protocol import CLIENT_FRAMES, SERVER_FRAMES

VERSION = "1.0.0"
ABOUT = (
    "What travels inside the platform (exchanges, streams, work queues), and the live connection to browsers. "
    "Messages are CloudEvents 1.0. What a studio's own systems send over HTTP is published to the exchange `studios`."
)
LIVE_ABOUT = (
    "The first frame is the client's `resume`; `docs/live-protocol.md` says how positions and epoch are kept, and what "
    "the close codes mean."
)
_SIDES: tuple[tuple[str, Any, JsonSchemaMode], ...] = (
    ("client", CLIENT_FRAMES, "validation"),
    ("server", SERVER_FRAMES, "serialization"),
)


@require_GET
def asyncapi_json(request: HttpRequest) -> HttpResponse:
    """The document, for programs."""
    return JsonResponse(_document(request.get_host(), is_secure=request.is_secure()))


@require_GET
def asyncapi_page(request: HttpRequest) -> HttpResponse:
    """The document, for people."""
    return render(request, "asyncapi.html", _told(_document(request.get_host(), is_secure=request.is_secure())))


def _document(host: str, *, is_secure: bool) -> Document:
    live = {"host": host, "protocol": "wss" if is_secure else "ws", "description": "The live connection"}
    described = _described()
    return {**described, "servers": {**described["servers"], "live": live}}


@cache
def _described() -> Document:
    """All but the live server's address, which the request names."""
    engine = str(settings.BROKER_STREAMS).partition(":")[0]
    server = {
        "host": "internal",
        "protocol": engine,
        "description": "Inside the platform; the engine of its streams",
    }
    described = asyncapi.document(
        current_topology(), title=settings.OTT_BRAND, version=VERSION, description=ABOUT, server=server
    )
    _add_live(described)
    return described


def _add_live(described: Document) -> None:
    sides = {side: _frames(described["components"], side, frames, mode) for side, frames, mode in _SIDES}
    described["channels"]["live"] = {
        "address": "/ws/live/",
        "title": "The live connection",
        "summary": "Text messages, each one JSON object",
        "description": LIVE_ABOUT,
        "servers": [reference("servers", "live")],
        "messages": {name: reference("components", "messages", name) for names in sides.values() for name in names},
        "tags": [{"name": "live"}],
    }
    for action, side in (("receive", "client"), ("send", "server")):
        described["operations"][f"live.{action}"] = {
            "action": action,
            "channel": reference("channels", "live"),
            "summary": f"Frames from the {side}",
            "messages": [reference("channels", "live", "messages", name) for name in sides[side]],
            "tags": [{"name": "live"}],
        }


def _frames(components: Document, side: str, frames: Any, mode: JsonSchemaMode) -> list[str]:
    """Add the frames of one side to the components; returns the names of their messages."""
    found, definitions = models_json_schema([(frame, mode) for frame in frames], ref_template=SCHEMAS)
    components["schemas"] |= definitions.get("$defs", {})
    told = {f"{side}.{_frame_type(frame)}": frame for frame in frames}
    for name, frame in told.items():
        components["messages"][name] = {
            "name": _frame_type(frame),
            "title": f"{_frame_type(frame)}, from the {side}",
            "summary": " ".join((frame.__doc__ or "").split()),
            "contentType": "application/json",
            "payload": found[frame, mode],
        }
    return list(told)


def _frame_type(frame: Any) -> str:
    return str(frame.model_json_schema()["properties"]["type"]["const"])


def _told(described: Document) -> dict[str, Any]:
    """The document as the template wants it: references followed, fields in words."""
    components = described["components"]
    channels = []
    for key, channel in described["channels"].items():
        operations = [each | {"name": name} for name, each in described["operations"].items() if _is_at(each, key)]
        carried = [_last(each) for each in channel["messages"].values()]
        channels.append({"key": key, **channel, "operations": operations, "carried": carried})
    told = [
        {"key": key, **message, "fields": list(_fields(message, components["schemas"]))}
        for key, message in components["messages"].items()
    ]
    envelope = fields_in_words({"properties": asyncapi.ENVELOPE, "required": asyncapi.ALWAYS}, {})
    return {"info": described["info"], "envelope": list(envelope), "channels": channels, "described": told}


def _is_at(operation: Document, channel: str) -> bool:
    return bool(_last(operation["channel"]) == channel)


def _last(part: Document) -> str:
    return str(part["$ref"]).rpartition("/")[2]


def _fields(message: Document, definitions: Document) -> Any:
    """The fields of a frame; of a message, those of its data."""
    payload = message["payload"]
    schema = message.get("x-data") or payload.get("properties", {}).get("data", payload)
    if "$ref" in schema:
        schema = definitions[_last(schema)]
    return fields_in_words(schema, definitions)
