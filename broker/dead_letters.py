"""Messages that could not be routed or handled, kept with the reason until somebody decides."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Max

from .bus import bus
from .models import DeadLetter
from .trace import trace_id_of

MAX_TRACE = 20_000  # characters
MAX_REPLAYS = 3  # after so many that failed, a dead letter is parked
UNREADABLE = UUID(int=0)  # the id of messages whose own cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeadLettered:
    """On the bus: this process has committed a dead letter."""

    reason: str
    origin: str
    type: str
    key: str
    position: int | None
    attempts: int
    error: str
    trace_id: str


def record(
    *,
    reason: DeadLetter.Reason,
    origin: str,
    body: Mapping[str, Any],
    position: int | None,
    attempts: int,
    error: BaseException | str,
) -> None:
    """Keep a message that failed at `origin` (`exchange:NAME`, `group:NAME`, `queue:NAME`); twice is as once.

    One that was replayed and failed there again continues the count of its replays.
    """
    message_id = _id_of(body)
    replays = _replays_of(message_id, origin)
    letter = DeadLetter(
        reason=reason,
        origin=origin,
        state=state_after(replays),
        replays=replays,
        message_id=message_id,
        position=position,
        body=dict(body),
        exchange=str(body.get("exchange", "")),
        routing_key=str(body.get("routingkey", "")),
        key=str(body.get("partitionkey", "")),
        attempts=attempts,
        error=describe(error),
        trace=trace_of(error),
    )
    DeadLetter.objects.bulk_create([letter], ignore_conflicts=True)
    bus.publish_on_commit(_happening(letter))


def _happening(letter: DeadLetter) -> MessageDeadLettered:
    return MessageDeadLettered(
        reason=letter.reason,
        origin=letter.origin,
        type=str(letter.body.get("type", "")),
        key=letter.key,
        position=letter.position,
        attempts=letter.attempts,
        error=letter.error,
        trace_id=trace_id_of(str(letter.body.get("traceparent", ""))),
    )


def state_after(replays: int) -> DeadLetter.State:
    """Whether a letter that failed in so many replays still waits, or is parked."""
    return DeadLetter.State.PARKED if replays >= MAX_REPLAYS else DeadLetter.State.WAITING


def _replays_of(message_id: UUID, origin: str) -> int:
    if message_id == UNREADABLE:
        return 0
    earlier = DeadLetter.objects.filter(message_id=message_id, origin=origin, state=DeadLetter.State.REPLAYED)
    return earlier.aggregate(most=Max("replays"))["most"] or 0


def describe(error: BaseException | str) -> str:
    """An error in one line."""
    return _storable(error if isinstance(error, str) else f"{type(error).__name__}: {error}")


def trace_of(error: BaseException | str) -> str:
    """Where an error came from, if it is one."""
    return "" if isinstance(error, str) else _storable("".join(traceback.format_exception(error))[-MAX_TRACE:])


def _storable(text: str) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _id_of(body: Mapping[str, Any]) -> UUID:
    try:
        return UUID(str(body.get("id")))
    except ValueError:  # it may be here because nobody can read it
        return UNREADABLE
