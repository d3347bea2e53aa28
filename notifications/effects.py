"""What the handlers of the group `feed` leave behind, for a shadow replay to compare."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from broker.messages import Message
from broker.shadow_replay import Superseded

from .handlers import subject_of, topics_of
from .models import Notification, Part, Posting

_CARD = ["subject_version", "kind", "title", "body", "url", "image", "studio", "category", "maturity", "recalled"]
_CARD += ["published_at", "expires_at", "languages", "windows"]


def card_of(message: Message) -> Mapping[str, Any] | None:
    """The card of the message's release, and which of the message's topics it is posted to.

    Raises `Superseded` when the card tells of a later version.
    """
    part = Part.objects.filter(subject=subject_of(message)).first()
    subject = part.card if part is not None else subject_of(message)
    card = Notification.objects.filter(subject=subject).values("id", *_CARD).first()
    if card is None:
        return None
    if _tells_of_later(message, card["subject_version"], subject):
        raise Superseded(subject_of(message))
    posted = Posting.objects.filter(notification=card.pop("id"), topic__name__in=topics_of(message))
    topics = sorted(set(posted.values_list("topic__name", flat=True)))
    return card if card["recalled"] else {**card, "topics": topics}  # what is recalled unseen is posted nowhere


def _tells_of_later(message: Message, version: int, subject: str) -> bool:
    """Whether the card says what came after the message: of the release, or of another that shares its card."""
    told = list(Part.objects.filter(card=subject).values_list("data__changed_at", flat=True))
    if not told:
        return bool(version > message.data["version"])
    return max(map(datetime.fromisoformat, told)) > datetime.fromisoformat(message.data["changed_at"])
