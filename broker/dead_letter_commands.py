"""What an operator does with dead letters besides replaying them: edit, discard."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from . import audit, schemas
from .dead_letter_filter import Filter
from .dead_letters import UNREADABLE
from .envelope import encode
from .errors import InvalidMessage
from .formats import for_handler
from .messages import Message, from_body
from .models import DeadLetter
from .replay import claim


def edit(*, dead_letter_id: int, body: Mapping[str, Any], actor: str) -> None:
    """Mend a dead letter's message; who, when, before and after are remembered.

    It must be a valid message, with the id and position that it had. Raises `InvalidMessage` naming the field,
    `AlreadyDecided`.
    """
    with transaction.atomic():
        letter = claim(dead_letter_id, also_parked=True)
        message = _checked(body, letter)
        DeadLetter.objects.filter(pk=letter.pk).update(
            body=dict(body),
            message_id=message.id,
            exchange=message.exchange,
            routing_key=message.routing_key,
            key=message.key,
        )
        target = f"dead_letter:{dead_letter_id}"
        audit.note(actor=actor, verb="edit", target=target, before=letter.body, after=body)


def discard(*, dead_letter_id: int, actor: str) -> None:
    """Decide that nothing more shall happen with a dead letter. Raises `AlreadyDecided`."""
    with transaction.atomic():
        claim(dead_letter_id, also_parked=True)
        DeadLetter.objects.filter(pk=dead_letter_id).update(
            state=DeadLetter.State.DISCARDED, decided_at=Now(), decided_by=actor
        )
        audit.note(actor=actor, verb="discard", target=f"dead_letter:{dead_letter_id}")


def discard_matching(*, where: Filter, actor: str) -> int:
    """Discard every dead letter that matches, at once; returns how many."""
    return _discard(where.letters(), actor=actor, told=where.as_text())


def discard_each(dead_letter_ids: Sequence[int], *, actor: str) -> int:
    """Discard those of these that nobody has decided about; returns how many."""
    ids = sorted(dead_letter_ids)
    return _discard(Filter().letters().filter(pk__in=ids), actor=actor, told={"ids": ids})


def _discard(letters: QuerySet[DeadLetter], *, actor: str, told: Mapping[str, Any]) -> int:
    with transaction.atomic():
        count = letters.update(state=DeadLetter.State.DISCARDED, decided_at=Now(), decided_by=actor)
        audit.note(actor=actor, verb="discard", target="dead_letters", before=told, after={"discarded": count})
    return count


def _checked(body: Mapping[str, Any], letter: DeadLetter) -> Message:
    message = from_body(body)
    if letter.message_id not in (message.id, UNREADABLE):
        raise InvalidMessage("id", f"must stay {letter.message_id}")
    if message.position != letter.position:
        raise InvalidMessage("position", f"must stay {letter.position}")
    encode(message)  # which looks at the envelope
    schemas.validate(for_handler(message))
    return message
