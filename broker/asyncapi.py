"""The AsyncAPI 3 document of a topology and its schemas: every exchange, stream and queue, and who sends or receives.

Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from . import schemas
from .avro_schemas import avro_schema
from .flows import types_after
from .messages import Format
from .topology import Topology

Document = dict[str, Any]

SCHEMAS = "#/components/schemas/{model}"
_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time"}
_UUID = {"type": "string", "format": "uuid"}
# What `messages.to_body` writes besides the data.
ENVELOPE: Mapping[str, Mapping[str, Any]] = {
    "specversion": {"const": "1.0", "description": "CloudEvents'"},
    "id": _UUID | {"description": "Of the message; with `source`, CloudEvents' identity"},
    "type": _TEXT,
    "source": _TEXT | {"format": "uri-reference"},
    "subject": _TEXT | {"description": "What it happened to"},
    "time": _MOMENT,
    "datacontenttype": _TEXT,
    "schemaversion": {"type": "integer"},
    "partitionkey": _TEXT | {"description": "Messages of one key keep their order"},
    "exchange": _TEXT | {"description": "Where it was published"},
    "routingkey": _TEXT,
    "headers": {"type": "object", "additionalProperties": {"type": ["string", "integer", "boolean"]}},
    "priority": {"type": "integer", "minimum": 0, "maximum": 9},
    "expirytime": _MOMENT | {"description": "Nobody acts on it afterwards"},
    "correlationid": _UUID | {"description": "The first message of the chain"},
    "causationid": _UUID | {"description": "The message that led to this one"},
    "traceparent": _TEXT | {"description": "W3C trace context"},
    "hlc": _TEXT | {"description": "Hybrid logical clock: causes have smaller ones than their effects"},
    "position": {"type": "integer", "description": "The relay's number: equal for a duplicate, greater for the next"},
}
ALWAYS = [
    "specversion",
    "id",
    "type",
    "source",
    "time",
    "datacontenttype",
    "schemaversion",
    "partitionkey",
    "exchange",
]


def document(topology: Topology, *, title: str, version: str, description: str, server: Mapping[str, str]) -> Document:
    """The document; `server` is the broker as AsyncAPI describes servers. Types without a schema are left out."""
    writer = _Writer()
    for exchange in topology.exchanges:
        what = f"{exchange.type.value} exchange".capitalize()
        writer.channel("exchange", exchange.name, _known(exchange.types), summary=what)
        writer.operation(
            f"publish.{exchange.name}", "send", "exchange", exchange.name, "Published with the transaction"
        )
    for stream in topology.streams:
        types = _known(types_after(topology, stream.name))
        what = f"Stream with {stream.partitions} partitions"
        writer.channel("stream", stream.name, types, summary=what, format_=stream.format)
    for queue in topology.queues:
        writer.channel("queue", queue.name, _known(types_after(topology, queue.name)), summary="Work queue")
        writer.operation(f"work.{queue.name}", "receive", "queue", queue.name, "Each message goes to one worker")
    for group in topology.groups:
        what = f"Consumer group, {group.semantics.value.replace('_', ' ')}"
        writer.operation(f"group.{group.name}", "receive", "stream", group.stream, what, types=_known(group.handlers))
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version, "description": description},
        "defaultContentType": "application/cloudevents+json",
        "servers": {"broker": dict(server)},
        "channels": writer.channels,
        "operations": writer.operations,
        "components": {"messages": writer.messages, "schemas": writer.schemas()},
    }


def reference(*path: str) -> dict[str, str]:
    """A reference to a part of the document."""
    return {"$ref": "#/" + "/".join(each.replace("~", "~0").replace("/", "~1") for each in path)}


def _known(types: Iterable[str]) -> list[str]:
    return [type_ for type_ in types if schemas.newest_version(type_) is not None]


class _Writer:
    """Gathers the parts; a message is described once, whichever channels it goes through."""

    def __init__(self) -> None:
        self.channels: Document = {}
        self.operations: Document = {}
        self.messages: Document = {}
        newest = dict(sorted(schemas.registered()))
        models = {type_: schemas.registered()[type_, version] for type_, version in newest.items()}
        found, self._definitions = models_json_schema(
            [(model, "validation") for model in models.values()], ref_template=SCHEMAS
        )
        self._versions, self._models = newest, models
        self._data = {type_: found[model, "validation"] for type_, model in models.items()}

    def schemas(self) -> Document:
        definitions: Document = self._definitions.get("$defs", {})
        return definitions

    def channel(
        self, kind: str, name: str, types: Iterable[str], *, summary: str, format_: Format = Format.JSON
    ) -> None:
        key = f"{kind}.{name}"
        carried = {type_: self._message(type_, format_) for type_ in types}
        self.channels[key] = {
            "address": name,
            "title": name,
            "summary": summary,
            "servers": [reference("servers", "broker")],
            "messages": carried,
            "tags": [{"name": kind}],
        }

    def operation(
        self, name: str, action: str, kind: str, channel: str, summary: str, *, types: Iterable[str] | None = None
    ) -> None:
        key = f"{kind}.{channel}"
        carried = self.channels[key]["messages"]
        self.operations[name] = {
            "action": action,
            "channel": reference("channels", key),
            "summary": summary,
            "messages": [
                reference("channels", key, "messages", type_)
                for type_ in (carried if types is None else types)
                if type_ in carried
            ],
            "tags": [{"name": kind}],
        }

    def _message(self, type_: str, format_: Format) -> dict[str, str]:
        key = type_ if format_ is Format.JSON else f"{type_}.{format_.name.lower()}"
        if key not in self.messages:
            self.messages[key] = {
                "name": type_,
                "title": type_,
                "summary": " ".join((self._models[type_].__doc__ or "").split()),
                "contentType": "application/cloudevents+json",
                "payload": self._payload(type_, format_),
            } | self._more(type_, format_)
        return reference("components", "messages", key)

    def _payload(self, type_: str, format_: Format) -> Document:
        told = {
            "type": {"const": type_},
            "schemaversion": {"const": self._versions[type_]},
            "datacontenttype": {"const": format_.value},
        }
        field = "data" if format_ is Format.JSON else "data_base64"
        data = self._data[type_] if format_ is Format.JSON else {"type": "string", "contentEncoding": "base64"}
        return {
            "type": "object",
            "properties": {**ENVELOPE, **told, field: data},
            "required": [*ALWAYS, field],
            "additionalProperties": False,
        }

    def _more(self, type_: str, format_: Format) -> Document:
        if format_ is not Format.AVRO:
            return {}
        schema = avro_schema(self._models[type_], name=f"{type_}.v{self._versions[type_]}")
        return {"x-avro-schema": schema, "x-data": self._data[type_]}
