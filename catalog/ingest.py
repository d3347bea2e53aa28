"""Events from a studio's own systems: judged, de-duplicated and published; handlers act on them afterwards.

A request is taken whole or not at all. The events of a batch often build on each other (planned, then scheduled), so
taking a later one without an earlier one would do something that nobody asked for; and what was refused whole can be
sent again whole, because what was taken before is known by its source and id.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from accounts.models import User
from broker import schemas, trace
from broker.cloudevents import CloudEvent
from broker.envelope import encode
from broker.errors import InvalidMessage
from broker.messages import Message
from broker.outbox import lock_keys, publish

from .errors import EventIdReused, InvalidEvent
from .models import ReceivedEvent, Studio
from .permissions import Action, require

EXCHANGE = "studios"
KEPT_FOR = timedelta(days=30)
# The event types that a studio may send, and what its member must be allowed to do.
ACCEPTED: Mapping[str, Action] = {
    "studio.release.planned": Action.DRAFT,
    "studio.release.scheduled": Action.PUBLISH,
    "studio.release.withdrawn": Action.PUBLISH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An event that was taken; `is_duplicate` when it had been taken before, and has no further effect."""

    source: str
    id: str
    is_duplicate: bool


@transaction.atomic
def accept_events(*, actor: User, studio: Studio, events: Sequence[CloudEvent], is_batch: bool) -> list[Receipt]:
    """Publish what is new among the events; in the order in which they came.

    Raises `InvalidEvent` and `EventIdReused` naming every attribute at fault, and `NotAllowed`; nothing is taken then.
    """
    messages = _messages(events, studio=studio, actor=actor, is_batch=is_batch)
    for action in sorted({ACCEPTED[event.type] for event in events}):
        require(actor=actor, studio=studio, action=action)
    lock_keys(message.key for message in messages)
    fresh = _received(studio, events, messages, is_batch=is_batch)
    receipts = []
    for event, message in zip(events, messages, strict=True):
        is_new = message.id in fresh
        if is_new:
            publish(message, mandatory=True)
        receipts.append(Receipt(source=event.source, id=event.id, is_duplicate=not is_new))
    return receipts


def forget_received_events() -> None:
    """Forget what was done or refused a month ago: nobody repeats a request for so long."""
    ended = ReceivedEvent.objects.exclude(state=ReceivedEvent.State.ACCEPTED)
    ended.filter(received_at__lt=Now() - KEPT_FOR).delete()


def _messages(events: Sequence[CloudEvent], *, studio: Studio, actor: User, is_batch: bool) -> list[Message]:
    """What is to be published. Raises `InvalidEvent` with every fault there is."""
    messages, faults = [], []
    for number, event in enumerate(events):
        try:
            messages.append(_message(event, studio=studio, actor=actor))
        except InvalidMessage as error:
            faults.append((_place(number, error.field, is_batch=is_batch), error.problem))
    if faults:
        raise invalid(faults)
    return messages


def _message(event: CloudEvent, *, studio: Studio, actor: User) -> Message:
    """The event as a message of ours, in its type's newest version. Who sent it stands in headers.

    It gets an id of ours: what a studio says in `source` and `id` is unique among its own events alone. Raises
    `InvalidMessage`.
    """
    if event.type not in ACCEPTED:
        raise InvalidMessage("type", f"a studio may send {', '.join(ACCEPTED)}, and not {event.type!r}")
    message = Message(
        type=event.type,
        version=event.version,
        source=f"/studios/{studio.slug}",
        key="-",
        exchange=EXCHANGE,
        routing_key=event.type,
        headers={"studio": studio.slug, "actor": actor.pk},
        time=event.time or datetime.now(UTC),
        expires_at=event.expires_at,
        traceparent=trace.continued(event.traceparent) if trace.is_traceparent(event.traceparent) else "",
        data=event.data,
    )
    message = schemas.upcast(message)
    schemas.validate(message)
    reference = message.data["reference"]
    message = replace(message, subject=reference, key=f"studio:{studio.slug}:{reference}")
    encode(message)
    return message


def _received(
    studio: Studio, events: Sequence[CloudEvent], messages: Sequence[Message], *, is_batch: bool
) -> set[object]:
    """Remember the events; returns the ids of the messages of those that were not known. Raises `EventIdReused`."""
    rows = [
        ReceivedEvent(
            id=message.id,
            studio=studio,
            source=event.source,
            event_id=event.id,
            type=event.type,
            digest=_digest(event),
        )
        for event, message in zip(events, messages, strict=True)
    ]
    # In one order, so that two requests with the same events wait for each other instead of deadlocking.
    ordered = sorted(rows, key=lambda row: (row.source, row.event_id))
    ReceivedEvent.objects.bulk_create(ordered, ignore_conflicts=True)
    mine = ReceivedEvent.objects.filter(studio=studio, event_id__in={row.event_id for row in rows})
    known = {(row.source, row.event_id): row for row in mine}
    reused = [
        (_place(number, "id", is_batch=is_batch), f"{row.event_id!r} from {row.source!r} was another event before")
        for number, row in enumerate(rows)
        if known[row.source, row.event_id].digest != row.digest
    ]
    if reused:
        raise EventIdReused("; ".join(f"{at}: {problem}" for at, problem in reused), errors=_errors(reused))
    return {row.id for row in known.values()}


def invalid(faults: Sequence[tuple[str, str]]) -> InvalidEvent:
    """The refusal that names every attribute at fault."""
    return InvalidEvent("; ".join(f"{at}: {problem}" for at, problem in faults), errors=_errors(faults))


def _errors(faults: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"at": at, "message": problem} for at, problem in faults]


def _place(number: int, field: str, *, is_batch: bool) -> str:
    return f"{number}/{field}" if is_batch else field


def _digest(event: CloudEvent) -> str:
    content = json.dumps([event.type, event.version, dict(event.data)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
