"""The message: an envelope of CloudEvents 1.0 attributes, routing, headers and data around one event."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, Self
from uuid import UUID

from pydantic_core import from_json

from .errors import InvalidMessage
from .identity import uuid7

HeaderValue = str | int | bool


class Addressed(Protocol):
    """What routing looks at of a message."""

    @property
    def exchange(self) -> str: ...

    @property
    def routing_key(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, HeaderValue]: ...


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
    id: UUID = field(default_factory=uuid7)
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
    # As it is stored, without its position; of no copy, which may be changed.
    stored_text: str = field(default="", init=False, repr=False, compare=False)

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
    """The body as JSON text: as it was stored, where nothing but the position has been added.

    Raises `TypeError` or `ValueError` for data that JSON does not have.
    """
    if message.stored_text:
        return f'{message.stored_text[:-1]},"position":{message.position}}}'
    return json.dumps(to_body(message), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_body(body: Mapping[str, Any]) -> Message:
    """The message that `to_body` wrote. Raises `InvalidMessage` naming the attribute that is missing or malformed."""
    # Like every attribute that is empty, these are left out then.
    fields: dict[str, Any] = {"source": "", "routing_key": ""}
    attribute = ""
    try:
        for attribute, value in body.items():
            reader = _READERS.get(attribute)
            if reader is not None and value is not None:
                field_name, read = reader
                fields[field_name] = value if type(value) is read else read(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidMessage(attribute, f"cannot be read: {error}") from error
    data = "data" if fields.get("format", Format.JSON) is Format.JSON else "data_base64"
    if not (fields.keys() >= _REQUIRED_FIELDS and _READERS[data][0] in fields):
        missing = (attribute for attribute in (*REQUIRED, data) if _READERS[attribute][0] not in fields)
        raise InvalidMessage(next(missing), "is missing")
    if data == "data_base64":
        fields["data"] = {}
    return Message(**fields)


def parse(text: str | bytes) -> Any:
    """What a body's JSON text stands for. Raises `ValueError`."""
    try:
        return from_json(text)
    except ValueError:  # it also gives up below 200 levels, which may be there
        return json.loads(text)


def _from_base64(text: str) -> bytes:
    return b64decode(text, validate=True)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError("it has no time zone")
    return moment


def are_headers(given: Any) -> bool:
    """Whether these can be a message's headers: text, whole numbers and truth values by name."""
    if not isinstance(given, dict):
        return False
    return all(isinstance(name, str) and isinstance(value, str | int) for name, value in given.items())


def _headers(given: Any) -> dict[str, HeaderValue]:
    if not are_headers(given):
        raise ValueError("headers are text, whole numbers and truth values by name")
    return dict(given)


# How each attribute is read, and into which field.
_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "id": ("id", UUID),
    "type": ("type", str),
    "source": ("source", str),
    "subject": ("subject", str),
    "time": ("time", _moment),
    "schemaversion": ("version", int),
    "partitionkey": ("key", str),
    "exchange": ("exchange", str),
    "routingkey": ("routing_key", str),
    "headers": ("headers", _headers),
    "priority": ("priority", int),
    "expirytime": ("expires_at", _moment),
    "correlationid": ("correlation_id", UUID),
    "causationid": ("causation_id", UUID),
    "traceparent": ("traceparent", str),
    "hlc": ("hlc", str),
    "position": ("position", int),
    "datacontenttype": ("format", Format),
    "data": ("data", dict),
    "data_base64": ("encoded", _from_base64),
}
REQUIRED = ("id", "type", "time", "schemaversion", "partitionkey", "exchange")
_REQUIRED_FIELDS = {_READERS[attribute][0] for attribute in REQUIRED}


def from_text(text: str, *, position: int) -> Message:
    """The message whose body was stored as `text`, at its position; `to_text` need not write it anew.

    Raises `InvalidMessage`.
    """
    message = from_body({**parse(text), "position": position})
    object.__setattr__(message, "stored_text", text)
    return message
