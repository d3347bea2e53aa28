"""Messages that could not be routed or handled, kept with the reason until somebody decides."""

import traceback
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from .models import DeadLetter

MAX_TRACE = 20_000  # characters


def record(
    *,
    reason: DeadLetter.Reason,
    origin: str,
    body: Mapping[str, Any],
    position: int | None,
    attempts: int,
    error: BaseException | str,
) -> None:
    """Keep a message that failed at `origin` (`exchange:NAME`, `group:NAME`, `queue:NAME`); twice is as once."""
    letter = DeadLetter(
        reason=reason,
        origin=origin,
        message_id=_id_of(body),
        position=position,
        body=dict(body),
        exchange=str(body.get("exchange", "")),
        routing_key=str(body.get("routingkey", "")),
        key=str(body.get("partitionkey", "")),
        attempts=attempts,
        error=describe(error),
        trace=_trace_of(error),
    )
    DeadLetter.objects.bulk_create([letter], ignore_conflicts=True)


def describe(error: BaseException | str) -> str:
    """An error in one line."""
    return _storable(error if isinstance(error, str) else f"{type(error).__name__}: {error}")


def _trace_of(error: BaseException | str) -> str:
    return "" if isinstance(error, str) else _storable("".join(traceback.format_exception(error))[-MAX_TRACE:])


def _storable(text: str) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _id_of(body: Mapping[str, Any]) -> UUID:
    try:
        return UUID(str(body.get("id")))
    except ValueError:  # it may be here because nobody can read it
        return UUID(int=0)
