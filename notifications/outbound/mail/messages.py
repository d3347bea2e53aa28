"""A notification as a mail with two parts, and the headers that let a reader stop it with one click (RFC 8058)."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from notifications.insight import marks
from notifications.outbound.parcels import Bundle, Card, Parcel

from .unsubscribing import unsubscribe_url

_HERE = "https://unsubscribe.invalid/here"  # stands where each reader's own address goes


@dataclass(frozen=True, slots=True)
class Rendered:
    """What all readers of a notification share."""

    subject: str
    text: str
    html: str


@lru_cache(maxsize=256)
def rendered(card: Card) -> Rendered:
    """The words of a mail."""
    context: dict[str, Any] = {"card": card, "site": settings.OTT_SITE_URL, "brand": settings.OTT_BRAND}
    context |= {"unsubscribe_url": _HERE, "mark": marks.HERE}
    return Rendered(
        subject=" ".join(card.title.split()),
        text=render_to_string("notifications/mail/notification.txt", context),
        html=render_to_string("notifications/mail/notification.html", context),
    )


@lru_cache(maxsize=256)
def rendered_digest(bundle: Bundle) -> Rendered:
    """The words of a mail that tells of several notifications. Many readers follow the same topics, so they share."""
    count = len(bundle.cards) + bundle.more
    context: dict[str, Any] = {"cards": bundle.cards, "more": bundle.more, "count": count, "unsubscribe_url": _HERE}
    context |= {"mark": marks.HERE, "site": settings.OTT_SITE_URL, "brand": settings.OTT_BRAND}
    return Rendered(
        subject=_digest_subject(bundle, count),
        text=render_to_string("notifications/mail/digest.txt", context),
        html=render_to_string("notifications/mail/digest.html", context),
    )


def _digest_subject(bundle: Bundle, count: int) -> str:
    title = " ".join(bundle.cards[0].title.split())
    return f"{title}, and {count - 1} more" if count > 1 else title


def message_for(parcel: Parcel, card: Card) -> EmailMultiAlternatives:
    """The mail for one reader. Its Message-ID is the idempotency key, so that a second one can be told."""
    words = rendered_digest(parcel.bundle) if parcel.bundle else rendered(card)
    address = unsubscribe_url(endpoint_id=parcel.key.endpoint_id)
    headers = {
        "Message-ID": f"<{parcel.idempotency_key}@{_domain()}>",
        "List-Unsubscribe": f"<{address}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Auto-Submitted": "auto-generated",
    }
    own = {_HERE: address, marks.HERE: marks.mark_of(viewer_id=parcel.key.viewer_id)}
    mail = EmailMultiAlternatives(words.subject, _filled(words.text, own), to=[parcel.email or ""], headers=headers)
    mail.attach_alternative(_filled(words.html, own), "text/html")
    return mail


def _filled(text: str, own: Mapping[str, str]) -> str:
    """`text` with what is the reader's own in its places."""
    for place, value in own.items():
        text = text.replace(place, value)
    return text


@lru_cache(maxsize=1)
def _domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
