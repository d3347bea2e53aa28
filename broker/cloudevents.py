"""CloudEvents over HTTP, as other systems send them: structured, binary or in a batch; read, and judged by name.

Source: https://github.com/cloudevents/spec, 1.0.2: spec.md, formats/json-format.md, bindings/http-protocol-binding.md.
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from .envelope import MAX_NAME_BYTES, MAX_SHORT_BYTES
from .errors import BrokerError, InvalidMessage

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MAX_VERSION = 32_767

_HEADER = "ce-"
_ATTRIBUTE = re.compile(r"[a-z0-9]+")
_NUMBER = re.compile(r"[0-9]{1,5}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class UnsupportedFormat(BrokerError):
    """The content type is none in which events are taken."""


class InvalidEvents(BrokerError):
    """Some of the events cannot be taken; `faults` says where and why: [(attribute, problem)]."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(f"{place}: {problem}" for place, problem in faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEvent:
    """An event as it came. Extension attributes that are not named here are accepted and not kept."""

    id: str
    source: str
    type: str
    data: Mapping[str, Any]
    subject: str = ""
    time: datetime | None = None
    version: int = 1  # of the schema of `data`: the extension `schemaversion`
    expires_at: datetime | None = None  # the extension `expirytime`
    traceparent: str = ""


def read(*, content_type: str, headers: Mapping[str, str], body: bytes) -> tuple[list[CloudEvent], bool]:
    """The events of a request, and whether they came as a batch. `headers` have names in small letters.

    Raises `UnsupportedFormat`, and `InvalidEvents` with every fault there is; in a batch, places begin with a number.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == BATCH:
        return _batch(_json(body)), True
    if kind == STRUCTURED:
        return [_one(_json(body))], False
    if kind.startswith("application/cloudevents"):
        raise UnsupportedFormat(f"Events are taken as {STRUCTURED}, {BATCH} or in binary mode, not as {kind}.")
    return [_one(_binary(kind, headers, body))], False


def _batch(events: Any) -> list[CloudEvent]:
    if not isinstance(events, list):
        raise InvalidEvents([("body", "must be a JSON array of events")])
    taken: list[CloudEvent] = []
    faults: list[tuple[str, str]] = []
    for number, event in enumerate(events):
        try:
            taken.append(_one(event))
        except InvalidEvents as error:
            faults += [(f"{number}/{place}", problem) for place, problem in error.faults]
    if faults:
        raise InvalidEvents(faults)
    return taken


def _binary(kind: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The request in structured form. Raises `UnsupportedFormat` for data that is not JSON."""
    if not _is_json(kind):
        raise UnsupportedFormat(f"The data of an event is taken as application/json, not as {kind or 'nothing'}.")
    attributes = {name[len(_HEADER) :]: unquote(value) for name, value in headers.items() if name.startswith(_HEADER)}
    return {**attributes, "datacontenttype": kind, "data": _json(body)}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidEvents([("body", f"is not JSON: {error}")]) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _one(event: Any) -> CloudEvent:
    if not isinstance(event, Mapping):
        raise InvalidEvents([("event", "must be a JSON object")])
    values: dict[str, Any] = {}
    faults: list[tuple[str, str]] = list(_bad_names(event))
    for attribute, field, take in _TAKEN:
        try:
            values[field] = take(event.get(attribute))
        except ValueError as error:
            faults.append((attribute, str(error)))
    try:
        values["data"] = _data(event)
    except InvalidMessage as error:
        faults.append((error.field, error.problem))
    if faults:
        raise InvalidEvents(faults)
    return CloudEvent(**{name: value for name, value in values.items() if name not in _CHECKED_ONLY})


def _bad_names(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in event.items():
        if name not in ("data", "data_base64"):
            if not _ATTRIBUTE.fullmatch(name):
                yield name[:MAX_NAME_BYTES], "is no name of an attribute: they are made of a-z and 0-9"
            elif not isinstance(value, str | int | bool | None):
                yield name[:MAX_NAME_BYTES], "must be text, a whole number or a boolean"


def _data(event: Mapping[str, Any]) -> Mapping[str, Any]:
    kind = event.get("datacontenttype") or "application/json"
    if not isinstance(kind, str) or not _is_json(kind.partition(";")[0].strip().lower()):
        raise InvalidMessage("datacontenttype", "must be JSON")
    name = "data_base64" if "data_base64" in event else "data"
    data = event.get(name)
    if name == "data_base64":
        try:
            data = json.loads(b64decode(str(data), validate=True), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidMessage(name, f"is not JSON in base64: {error}") from error
    if not isinstance(data, Mapping):
        raise InvalidMessage(name, "must be a JSON object")
    return data


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _text(value: Any, limit: int) -> str:
    if value is None:
        raise ValueError("is missing")
    if not isinstance(value, str) or not value:
        raise ValueError("must be text, and not empty")
    if _UNPRINTABLE.search(value):
        raise ValueError("holds a character that no attribute may hold")
    if len(value.encode()) > limit:
        raise ValueError(f"is longer than {limit} bytes")
    return value


def _name(value: Any) -> str:
    return _text(value, MAX_SHORT_BYTES)


def _type(value: Any) -> str:
    return _text(value, MAX_NAME_BYTES)


def _uri_reference(value: Any) -> str:
    text = _name(value)
    if " " in text:
        raise ValueError("must be a URI reference")
    return text


def _optional_name(value: Any) -> str:
    return "" if value is None else _name(value)


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(_name(value))
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise ValueError("must be a moment of RFC 3339, with a time zone")
    return moment


def _version(value: Any) -> int:
    if value is None:
        return 1
    number = int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value  # a header is text
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MAX_VERSION:
        raise ValueError("must be a whole number from 1 on")
    return number


def _specversion(value: Any) -> None:
    if _name(value) != "1.0":
        raise ValueError("must be 1.0")


_TAKEN = (
    ("specversion", "specversion", _specversion),
    ("id", "id", _name),
    ("source", "source", _uri_reference),
    ("type", "type", _type),
    ("subject", "subject", _optional_name),
    ("time", "time", _moment),
    ("expirytime", "expires_at", _moment),
    ("schemaversion", "version", _version),
    ("traceparent", "traceparent", _optional_name),
)
_CHECKED_ONLY = ("specversion",)
