"""What the envelope of a message may hold: checked at the door, by name, before anything is stored."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings

from .errors import InvalidMessage
from .messages import Message, to_text
from .trace import is_traceparent

MAX_SHORT_BYTES = 255  # AMQP 0-9-1's short string, which names and routing keys are
MAX_NAME_BYTES = 128
_NAMES = {
    "key": MAX_SHORT_BYTES,
    "routing_key": MAX_SHORT_BYTES,
    "type": MAX_NAME_BYTES,
    "exchange": MAX_NAME_BYTES,
    "source": MAX_SHORT_BYTES,
    "subject": MAX_SHORT_BYTES,
}
_MAY_BE_EMPTY = ("routing_key", "subject")
MAX_PRIORITY = 9
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def encode(message: Message) -> str:
    """The message as the JSON text that is stored. Raises `InvalidMessage` naming what is wrong with the envelope."""
    _check_names(message)
    check_headers(message.headers)
    _check_times(message)
    _check_priority(message)
    if message.traceparent and not is_traceparent(message.traceparent):
        raise InvalidMessage("traceparent", "is not what W3C's trace context allows")
    text = _as_json(message)
    size, limit = len(text.encode()), settings.BROKER_MAX_MESSAGE_BYTES
    if size > limit:
        raise InvalidMessage("message", f"is {size} bytes long, the limit is {limit}")
    return text


def _check_names(message: Message) -> None:
    for field, limit in _NAMES.items():
        value = getattr(message, field)
        if not isinstance(value, str):
            raise InvalidMessage(field, f"must be text, not {type(value).__name__}")
        if not value and field not in _MAY_BE_EMPTY:
            raise InvalidMessage(field, "is empty")
        if "\0" in value:
            raise InvalidMessage(field, "holds a NUL character, which PostgreSQL cannot store")
        if len(value.encode(errors="replace")) > limit:
            raise InvalidMessage(field, f"is longer than {limit} bytes")


def check_headers(headers: Mapping[str, Any]) -> None:
    """Raise `InvalidMessage` naming a header that no message can have."""
    for name, value in headers.items():
        if not isinstance(name, str) or not name:
            raise InvalidMessage("headers", f"a header's name must be text, not {name!r}")
        if not isinstance(value, str | int):  # a bool is an int
            raise InvalidMessage(f"headers.{name}", f"must be text, int or bool, not {type(value).__name__}")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise InvalidMessage(f"headers.{name}", "does not fit in 64 bits")


def _check_times(message: Message) -> None:
    for field in ("time", "expires_at"):
        value: datetime | None = getattr(message, field)
        if value is not None and value.utcoffset() is None:
            raise InvalidMessage(field, "has no time zone")


def _check_priority(message: Message) -> None:
    if not isinstance(message.priority, int) or not 0 <= message.priority <= MAX_PRIORITY:
        raise InvalidMessage("priority", f"must be a whole number from 0 to {MAX_PRIORITY}")


def _as_json(message: Message) -> str:
    try:
        text = to_text(message)
        text.encode()
    except (TypeError, ValueError) as error:
        raise InvalidMessage("data", f"cannot be written as JSON: {error}") from error
    if "\\u0000" in text and _NUL.search(text):
        raise InvalidMessage("data", "holds a NUL character, which PostgreSQL cannot store")
    return text
