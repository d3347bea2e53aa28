"""A season drop: episodes of one title that are published close together share a card, which counts them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from broker.outbox import lock_keys

from .models import Part

CLOSE = timedelta(hours=1)  # to another episode of the card
SAME = (
    "maturity",
    "languages",
    "windows",
    "expires_at",
    "category",
    "studio_slug",
)  # episodes of a card have in common


def take_part(*, subject: str, data: Any, recalled: bool) -> list[Part]:
    """Store an episode's newest state with the card that it has a part in; all parts of that card, by number.

    Empty when what is held is as new. Locks the title until the transaction ends: which card it is depends on the
    others.
    """
    lock_keys([f"drop:{data['title_slug']}"])
    held = Part.objects.filter(subject=subject).first()
    if held is not None and held.version >= data["version"]:
        return []
    card = held.card if held is not None else _open_card(data) or subject
    published_at = datetime.fromisoformat(data["published_at"])
    Part.objects.update_or_create(
        subject=subject,
        defaults={
            "card": card,
            "title": data["title_slug"],
            "version": data["version"],
            "recalled": recalled,
            "published_at": published_at,
            "data": data,
        },
    )
    return sorted(Part.objects.filter(card=card), key=_place)


def drop_headline(parts: Sequence[Part]) -> str:
    """What a card of several episodes says first."""
    return f"{len(parts)} new episodes: {parts[0].data['title_name']}"


def drop_body(parts: Sequence[Part]) -> str:
    """Which episodes they are."""
    title, seasons = parts[0].data["title_name"], {part.data["season"] for part in parts}
    numbers = [part.data["episode"] for part in parts]
    if len(seasons) > 1 or None in numbers:
        return f"{title}: {'; '.join(part.data['headline'] for part in parts)}."
    (season,) = seasons
    where = title if season is None else f"{title}, season {season}"
    is_run = all(later == earlier + 1 for earlier, later in pairwise(numbers))
    told = f"{numbers[0]} to {numbers[-1]}" if is_run else ", ".join(map(str, numbers))
    return f"{where}, episodes {told}."


def _open_card(data: Any) -> str | None:
    """The card that a new episode joins: of one that is for the same audience and was published close to it."""
    moment = datetime.fromisoformat(data["published_at"])
    near = Part.objects.filter(
        title=data["title_slug"], recalled=False, published_at__range=(moment - CLOSE, moment + CLOSE)
    )
    return next(
        (part.card for part in near.order_by("-published_at") if all(part.data[name] == data[name] for name in SAME)),
        None,
    )


def _place(part: Part) -> tuple[int, int, datetime]:
    return part.data["season"] or 0, part.data["episode"] or 0, part.published_at
