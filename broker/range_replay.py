"""A range of a stream goes to a group's handlers once more, beside the order in which the group itself reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from . import audit, dead_letters, logical_clock, trace
from .current import group_named, handler_at, stream_named
from .errors import InvalidMessage
from .formats import for_handler
from .messages import from_body
from .models import DeadLetter
from .offsets import Range, Target, ranges
from .streams import Entry
from .topology import Group


@dataclass(slots=True, kw_only=True)
class RangeOutcome:
    """What became of the entries so far; `passed` are of types that the group does not handle."""

    handled: int = 0
    passed: int = 0
    failed: int = 0


def plan(*, group: str, start: Target, until: Target, partition: int | None = None) -> list[Range]:
    """What `replay_range` would read. Raises `UnknownName` and `InvalidTarget`."""
    return ranges(stream_named(group_named(group).stream), start=start, until=until, partition=partition)


def replay_range(
    *,
    group: str,
    parts: Sequence[Range],
    actor: str,
    on_progress: Callable[[Range, int, RangeOutcome], None] = lambda *_: None,
) -> RangeOutcome:
    """Call the group's handlers with what `plan` found, each message in a transaction of its own.

    What the group itself has read and will read stays as it is. Handlers see messages again that they have handled,
    and refuse what is older than what they hold; a message that fails becomes a dead letter. After a kill, go on from
    the offset that `on_progress` was told last.
    """
    found, outcome = group_named(group), RangeOutcome()
    told = {str(part.partition): [part.start, part.end] for part in parts}
    audit.note(actor=actor, verb="replay", target=f"group:{group}", after=told)
    for part in parts:
        for entry in part.entries():
            _take(found, entry, outcome)
            on_progress(part, entry.offset, outcome)
    return outcome


def _take(group: Group, entry: Entry, outcome: RangeOutcome) -> None:
    try:
        with transaction.atomic():
            is_handled = _handle(group, entry)
            connection.check_constraints()  # deferred ones: a failure of this message, not of its transaction's end
    except Exception as error:
        if not connection.is_usable():
            raise
        _bury(group, entry, error)
        outcome.failed += 1
    else:
        outcome.handled += is_handled
        outcome.passed += not is_handled


def _handle(group: Group, entry: Entry) -> bool:
    message = for_handler(from_body(entry.body))
    path = group.handlers.get(message.type)
    if path is None:
        return False
    logical_clock.observe(message)
    with trace.handling(message, by=f"group:{group.name}"):
        handler_at(path)(message)
    return True


def _bury(group: Group, entry: Entry, error: Exception) -> None:
    reason = DeadLetter.Reason.INVALID if isinstance(error, InvalidMessage) else DeadLetter.Reason.HANDLER_FAILED
    dead_letters.record(
        reason=reason,
        origin=f"group:{group.name}",
        body=entry.body,
        position=entry.position,
        attempts=1,
        error=error,
    )
