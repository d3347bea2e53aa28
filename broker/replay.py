"""What an operator decides about a dead letter: send it back to where it failed, or let it go."""

from collections.abc import Callable, Mapping

from django.db import connection, transaction
from django.db.models.functions import Now

from . import hints, trace, work
from .current import current_topology, handler_at
from .errors import AlreadyDecided, BrokerError, PermanentFailure
from .formats import for_handler
from .messages import from_body, to_text
from .models import DeadLetter

_PUBLISH_AGAIN = """
    INSERT INTO broker_outboxmessage (message_id, type, key, exchange, routing_key, body)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (message_id) DO UPDATE SET position = NULL, relayed_at = NULL
"""


def replay(*, dead_letter_id: int) -> None:
    """Send a dead letter back to where it failed, in the transaction of the effect: replaying twice is as once.

    A group's handler runs here and now; a queue's item becomes ready; an unroutable message goes through the relay
    again and takes a new place. Raises `AlreadyDecided`, or what the handler raises: then the letter still waits.
    """
    with transaction.atomic():
        letter = _claim(dead_letter_id)
        kind, _, name = letter.origin.partition(":")
        if kind not in _WAYS_BACK:
            raise BrokerError(f"A message that failed at {letter.origin!r} cannot be replayed from here")
        _WAYS_BACK[kind](name, letter)
        _decide(letter, DeadLetter.State.REPLAYED)


def discard(*, dead_letter_id: int) -> None:
    """Decide that nothing more shall happen with a dead letter. Raises `AlreadyDecided`."""
    with transaction.atomic():
        _decide(_claim(dead_letter_id), DeadLetter.State.DISCARDED)


def _claim(dead_letter_id: int) -> DeadLetter:
    letter = DeadLetter.objects.select_for_update().get(pk=dead_letter_id)
    if letter.state != DeadLetter.State.WAITING:
        raise AlreadyDecided(f"Dead letter {dead_letter_id} is {letter.state} already")
    return letter


def _decide(letter: DeadLetter, state: DeadLetter.State) -> None:
    DeadLetter.objects.filter(pk=letter.pk).update(state=state, decided_at=Now())


def _to_group(name: str, letter: DeadLetter) -> None:
    message = for_handler(from_body(letter.body))
    for group in current_topology().groups:
        if group.name == name and message.type in group.handlers:
            with trace.handling(message, by=f"group:{name}"):
                return handler_at(group.handlers[message.type])(message)
    raise PermanentFailure(f"No group {name!r} handles {message.type!r}")


def _to_queue(name: str, letter: DeadLetter) -> None:
    work.revive(queue=name, message=from_body(letter.body))


def _to_exchange(_name: str, letter: DeadLetter) -> None:
    message = from_body({**letter.body, "position": None})
    text = to_text(message)
    with connection.cursor() as cursor:
        cursor.execute(
            _PUBLISH_AGAIN, [message.id, message.type, message.key, message.exchange, message.routing_key, text]
        )
    transaction.on_commit(lambda: hints.send(hints.OUTBOX), robust=True)


_WAYS_BACK: Mapping[str, Callable[[str, DeadLetter], None]] = {
    "group": _to_group,
    "queue": _to_queue,
    "exchange": _to_exchange,
}
