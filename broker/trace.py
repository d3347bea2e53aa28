"""Which trace this code runs in: begun by a request or a message, carried by what is published, said in each log line.

Source: https://www.w3.org/TR/trace-context/, section 3.2; CloudEvents' extension for distributed tracing.
"""

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from structlog.contextvars import bound_contextvars
from structlog.typing import EventDict

from .messages import Message

logger = logging.getLogger(__name__)

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_RECORDED = "01"  # our logs are

_here: ContextVar[str] = ContextVar("traceparent", default="")
_handled: ContextVar[tuple[Message, str] | None] = ContextVar("handled", default=None)


def is_traceparent(text: str) -> bool:
    """Whether `text` is what version 00 of the recommendation allows."""
    return _TRACEPARENT.fullmatch(text) is not None


def trace_id_of(traceparent: str) -> str:
    """The trace's id, 32 hexadecimal digits; nothing of what is no traceparent."""
    match = _TRACEPARENT.fullmatch(traceparent)
    return match[1] if match else ""


def continued(traceparent: str) -> str:
    """A place of our own in the caller's trace; in a new one when the caller sent none, or one that is malformed."""
    match = _TRACEPARENT.match(traceparent)  # a newer version may append fields
    is_usable = match is not None and (match.end() == len(traceparent) or not traceparent.startswith("00"))
    trace_id, flags = match.groups() if match and is_usable else (secrets.token_hex(16), _RECORDED)
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


@contextmanager
def following(traceparent: str) -> Iterator[None]:
    """What is published and logged in this block belongs to the caller's trace, or to a new one."""
    here = continued(traceparent)
    token = _here.set(here)
    try:
        with bound_contextvars(trace_id=trace_id_of(here)):
            yield
    finally:
        _here.reset(token)


def handling(message: Message, *, by: str) -> "_Handling":
    """What is published in this block is a consequence of `message`; each log line names it, its trace and `by`."""
    return _Handling(message, by)


class _Handling:
    """A block that each message passes: as a generator it would cost several times as much."""

    __slots__ = ("_message", "_token", "_what")

    def __init__(self, message: Message, by: str) -> None:
        self._message, self._what = message, (message, by)

    def __enter__(self) -> None:
        self._token = _handled.set(self._what)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and logger.isEnabledFor(logging.DEBUG):
            logger.debug("Handled %s, position %s", self._message.type, self._message.position)
        _handled.reset(self._token)


def name_what_is_handled(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A processor of structlog's: most messages are handled without a line, so what a line says is made for lines."""
    if handled := _handled.get():
        message, by = handled
        event.setdefault("trace_id", trace_id_of(message.traceparent))
        event.setdefault("message_id", str(message.id))
        event.setdefault("handled_by", by)
    return event


def in_context(message: Message) -> Message:
    """The message as a consequence of the one that is being handled; and in the trace that this code runs in."""
    handled = _handled.get()
    if handled is not None and message.causation_id is None:
        message = message.caused_by(handled[0])
    return message if message.traceparent else replace(message, traceparent=_here.get() or continued(""))
