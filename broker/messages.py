"""The message: an envelope of CloudEvents 1.0 attributes, routing, headers and data around one event."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID, uuid4

from .errors import InvalidMessage

HeaderValue = str | int | bool


class Format(StrEnum):
    """How data is written in a stored message: its content type."""

    JSON = "application/json"
    AVRO = "avro/binary"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One event on its way.

    `type`, `source`, `id`, `time`, `subject` are CloudEvents' (https://github.com/cloudevents/spec, 1.0.2);
    `exchange`, `routing_key`, `headers`, `priority` are AMQP's; messages of one `key` keep their order.
    """

    type: str
    data: Mapping[str, Any]
    key: str
    exchange: str
    routing_key: str
    source: str = "/marquee"
    subject: str = ""
    version: int = 1  # of the schema of `data`
    id: UUID = field(default_factory=uuid4)
    time: datetime = field(default_factory=_now)
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    priority: int = 0
    expires_at: datetime | None = None
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    traceparent: str = ""
    format: Format = Format.JSON
    encoded: bytes = b""  # the data in another format than JSON; `data` is empty then
    hlc: str = ""  # given by `publish`: causes have smaller ones than their effects (see logical_clock.py)
    position: int | None = None  # given by the relay: equal for a duplicate, greater for the next

    def caused_by(self, cause: "Message") -> Self:
        """This message as a consequence of `cause`: same correlation, same trace."""
        return replace(
            self,
            causation_id=cause.id,
            correlation_id=cause.correlation_id or cause.id,
            traceparent=cause.traceparent,
        )


def to_body(message: Message) -> dict[str, Any]:
    """The message as JSON, in CloudEvents' structured mode.

    Attributes beyond the core are extensions: `partitionkey`, `expirytime`, `correlationid`, `causationid` and
    `traceparent` are registered ones (cloudevents/extensions); the rest is ours. Absent ones are left out. Data in
    another format than JSON is in `data_base64`.
    """
    body = {
        "specversion": "1.0",
        "id": str(message.id),
        "type": message.type,
        "source": message.source,
        "subject": message.subject,
        "time": message.time.isoformat(),
        "datacontenttype": message.format.value,
        "schemaversion": message.version,
        "partitionkey": message.key,
        "exchange": message.exchange,
        "routingkey": message.routing_key,
        "headers": dict(message.headers),
        "priority": message.priority,
        "expirytime": message.expires_at.isoformat() if message.expires_at else None,
        "correlationid": str(message.correlation_id) if message.correlation_id else None,
        "causationid": str(message.causation_id) if message.causation_id else None,
        "traceparent": message.traceparent,
        "hlc": message.hlc,
        "position": message.position,
    }
    present = {name: value for name, value in body.items() if value not in (None, "", {})}
    if message.format is not Format.JSON:
        return present | {"data_base64": b64encode(message.encoded).decode()}
    return present | {"data": dict(message.data)}


def to_text(message: Message) -> str:
    """The body as JSON text. Raises `TypeError` or `ValueError` for data that JSON does not have."""
    return json.dumps(to_body(message), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_body(body: Mapping[str, Any]) -> Message:
    """The message that `to_body` wrote. Raises `InvalidMessage` naming the attribute that is missing or malformed."""
    read = _Reader(body)
    format_ = read.optional("datacontenttype", Format) or Format.JSON
    is_json = format_ is Format.JSON
    return Message(
        id=read.required("id", UUID),
        type=read.required("type", str),
        source=read.optional("source", str) or "",
        subject=read.optional("subject", str) or "",
        time=read.required("time", datetime.fromisoformat),
        version=read.required("schemaversion", int),
        key=read.required("partitionkey", str),
        exchange=read.required("exchange", str),
        routing_key=read.optional("routingkey", str) or "",
        headers=read.optional("headers", dict) or {},
        priority=read.optional("priority", int) or 0,
        expires_at=read.optional("expirytime", datetime.fromisoformat),
        correlation_id=read.optional("correlationid", UUID),
        causation_id=read.optional("causationid", UUID),
        traceparent=read.optional("traceparent", str) or "",
        hlc=read.optional("hlc", str) or "",
        position=read.optional("position", int),
        format=format_,
        data=read.required("data", dict) if is_json else {},
        encoded=b"" if is_json else read.required("data_base64", _from_base64),
    )


def _from_base64(text: str) -> bytes:
    return b64decode(text, validate=True)


class _Reader:
    """Takes attributes out of a body, naming the one that cannot be read."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def required(self, name: str, read: Any) -> Any:
        if self._body.get(name) is None:
            raise InvalidMessage(name, "is missing")
        return self.optional(name, read)

    def optional(self, name: str, read: Any) -> Any:
        value = self._body.get(name)
        if value is None:
            return None
        try:
            return read(value)
        except (ValueError, TypeError, AttributeError) as error:
            raise InvalidMessage(name, f"cannot be read: {error}") from error
