"""Dead letters go back to where they failed, or to a named group; each in the transaction of its effect."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from . import audit, hints, logical_clock, trace, work
from .current import group_named, handler_at
from .dead_letter_filter import Filter
from .dead_letters import describe, state_after, trace_of
from .errors import AlreadyDecided, NotReplayable, Parked
from .formats import for_handler
from .messages import from_body, to_text
from .models import DeadLetter

CHUNK = 200

WayBack = Callable[[str, DeadLetter], None]
_ways_back: dict[str, WayBack] = {}

_PUBLISH_AGAIN = """
    INSERT INTO broker_outboxmessage (message_id, type, key, exchange, routing_key, body)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (message_id) DO UPDATE
    SET position = NULL, relayed_at = NULL, type = EXCLUDED.type, key = EXCLUDED.key, exchange = EXCLUDED.exchange,
        routing_key = EXCLUDED.routing_key, body = EXCLUDED.body
"""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of dead letters that were to be replayed; `passed` were parked, or decided by somebody else."""

    replayed: int = 0
    failed: int = 0
    passed: int = 0


def replay(*, dead_letter_id: int, actor: str, to_group: str = "", force: bool = False) -> None:
    """Send a dead letter back to where it failed, or to a group, in the transaction of the effect: twice is as once.

    A group's handler runs here and now, beside the order of its stream; a queue's item becomes ready; an unroutable
    message goes through the relay again and takes a new place. Raises `AlreadyDecided`, `Parked` (not with `force`),
    `NotReplayable`, `UnknownName`; or what the handler raises: that is counted, and after the third time it is parked.
    """
    with transaction.atomic():
        audit.note(actor=actor, verb="replay", target=f"dead_letter:{dead_letter_id}", after=_told(to_group, force))
        failure = _try(dead_letter_id, actor=actor, to_group=to_group, force=force)
    if failure is not None:
        raise failure


def replay_matching(
    *,
    where: Filter,
    actor: str,
    to_group: str = "",
    force: bool = False,
    on_progress: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Replay every dead letter that matches, oldest first, each in a transaction of its own.

    A run that was killed is continued by the next: what it has replayed no longer waits. What fails is counted and
    left; letters that come up meanwhile are left for another run.
    """
    letters = where.letters(also_parked=force)
    last = letters.order_by("-pk").values_list("pk", flat=True).first() or 0
    told = {**_told(to_group, force), "matching": letters.count()}
    audit.note(actor=actor, verb="replay", target="dead_letters", before=where.as_text(), after=told)
    outcome, after = Outcome(), 0
    while chunk := list(letters.filter(pk__gt=after, pk__lte=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        for dead_letter_id in chunk:
            _count(outcome, dead_letter_id, actor=actor, to_group=to_group, force=force)
        after = chunk[-1]
        on_progress(outcome)
    return outcome


def replay_each(dead_letter_ids: Iterable[int], *, actor: str) -> Outcome:
    """Replay these to where they failed, each in a transaction of its own."""
    outcome, ids = Outcome(), sorted(dead_letter_ids)
    audit.note(actor=actor, verb="replay", target="dead_letters", before={"ids": ids})
    for dead_letter_id in ids:
        _count(outcome, dead_letter_id, actor=actor, to_group="", force=False)
    return outcome


def claim(dead_letter_id: int, *, also_parked: bool) -> DeadLetter:
    """The dead letter, locked. Raises `NotReplayable` when there is none, `AlreadyDecided` and `Parked`."""
    letter = DeadLetter.objects.select_for_update().filter(pk=dead_letter_id).first()
    if letter is None:
        raise NotReplayable(f"There is no dead letter {dead_letter_id}")
    if letter.state == DeadLetter.State.PARKED and not also_parked:
        raise Parked(f"Dead letter {dead_letter_id} failed in {letter.replays} replays and is parked: force it")
    if letter.state not in (DeadLetter.State.WAITING, DeadLetter.State.PARKED):
        raise AlreadyDecided(f"Dead letter {dead_letter_id} is {letter.state} already")
    return letter


def _count(outcome: Outcome, dead_letter_id: int, *, actor: str, to_group: str, force: bool) -> None:
    try:
        failure = _try(dead_letter_id, actor=actor, to_group=to_group, force=force)
    except (AlreadyDecided, Parked):
        outcome.passed += 1
    except NotReplayable:
        outcome.failed += 1
    else:
        outcome.failed += failure is not None
        outcome.replayed += failure is None


def _try(dead_letter_id: int, *, actor: str, to_group: str, force: bool) -> Exception | None:
    """Replay one; the error when its way back failed, which is then written down."""
    with transaction.atomic():
        letter = claim(dead_letter_id, also_parked=force)
        go = _way_back(letter, to_group)
        try:
            with transaction.atomic():
                go()
                connection.check_constraints()  # deferred ones: at the commit it would be too late to count
        except NotReplayable:
            raise
        except Exception as error:
            if not connection.is_usable():
                raise
            _count_failure(letter, error)
            return error
        DeadLetter.objects.filter(pk=letter.pk).update(
            state=DeadLetter.State.REPLAYED, replays=F("replays") + 1, decided_at=Now(), decided_by=actor
        )
    return None


def register(kind: str, way_back: WayBack) -> None:
    """Let `way_back(name, letter)` replay what failed at `kind:name`, an application's own place.

    It runs inside the replay's transaction, and raises `NotReplayable` where there is nothing to go back to.
    """
    _ways_back[kind] = way_back


def _count_failure(letter: DeadLetter, error: Exception) -> None:
    replays = letter.replays + 1
    DeadLetter.objects.filter(pk=letter.pk).update(
        replays=replays, state=state_after(replays), error=describe(error), trace=trace_of(error)
    )


def _way_back(letter: DeadLetter, to_group: str) -> Callable[[], None]:
    kind, _, name = letter.origin.partition(":")
    if to_group:
        kind, name = "group", group_named(to_group).name
    match kind:
        case "group":
            return partial(_to_group, name, letter)
        case "queue":
            return partial(_to_queue, name, letter)
        case "exchange":
            return partial(_to_exchange, letter)
    if kind in _ways_back:
        return partial(_ways_back[kind], name, letter)
    raise NotReplayable(f"A message that failed at {letter.origin!r} goes back to a named group only")


def _to_group(name: str, letter: DeadLetter) -> None:
    message = for_handler(from_body(letter.body))
    path = group_named(name).handlers.get(message.type)
    if path is None:
        raise NotReplayable(f"Group {name!r} does not handle {message.type!r}")
    logical_clock.observe(message)
    with trace.handling(message, by=f"group:{name}"):
        handler_at(path)(message)


def _to_queue(name: str, letter: DeadLetter) -> None:
    work.revive(queue=name, message=from_body(letter.body))


def _to_exchange(letter: DeadLetter) -> None:
    message = from_body({**letter.body, "position": None})
    text = to_text(message)
    with connection.cursor() as cursor:
        cursor.execute(
            _PUBLISH_AGAIN, [message.id, message.type, message.key, message.exchange, message.routing_key, text]
        )
    transaction.on_commit(lambda: hints.send(hints.OUTBOX), robust=True)


def _told(to_group: str, force: bool) -> dict[str, object]:
    return {name: value for name, value in (("to_group", to_group), ("force", force)) if value}
