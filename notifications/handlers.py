"""What the consumer group `feed` does with the events of releases: the words that viewers read are made here."""

from datetime import datetime
from typing import Any

from broker.messages import Message

from .commands import post_notification
from .drops import drop_body, drop_headline, take_part
from .models import Kind

MAX_BODY = 300  # characters of a synopsis on a card


def on_release_published(message: Message) -> None:
    """Post the release to its category, its studio and its title. A second time is passed over."""
    _post(message, title=_headline(message.data), body=_what(message.data))


def on_release_updated(message: Message) -> None:
    """Change the card in place; a release that was never posted is posted now."""
    _post(message, title=_headline(message.data), body=_what(message.data))


def on_release_recalled(message: Message) -> None:
    """Say on the card that the release was taken back, and why if the studio told."""
    data = message.data
    reason = _shortened(data["reason"])
    body = f"{data['studio_name']} has withdrawn this release." + (f" {reason}" if reason else "")
    _post(message, title=f"Withdrawn: {data['headline']}", body=body, recalled=True)


def subject_of(message: Message) -> str:
    """What the card of a release is known by."""
    return f"release:{message.data['release_id']}"


def topics_of(message: Message) -> dict[str, str]:
    """The topics that a release belongs to, with their labels."""
    data = message.data
    return {
        f"category:{data['category']}": data["category_label"],
        f"studio:{data['studio_slug']}": data["studio_name"],
        f"title:{data['title_slug']}": data["title_name"],
    }


def _post(message: Message, *, title: str, body: str, recalled: bool = False) -> None:
    """Post one release's card; an episode may have a part in a card that counts several."""
    subject, version, data = subject_of(message), message.data["version"], message.data
    if data["kind"] == Kind.EPISODE:
        parts = take_part(subject=subject, data=data, recalled=recalled)
        if not parts:
            return
        subject, version = parts[0].card, sum(part.version for part in parts)  # grows with each change of any
        present = [part for part in parts if not part.recalled]
        if len(present) > 1:
            title, body, recalled = drop_headline(present), drop_body(present), False
        elif present:
            title, body, recalled, data = _headline(present[0].data), _what(present[0].data), False, present[0].data
    post_notification(
        subject=subject,
        subject_version=version,
        kind=data["kind"],
        topics=topics_of(message),
        title=title,
        body=body,
        url=data["url"],
        image=data["image"],
        studio=data["studio_name"],
        category=data["category_label"],
        maturity=data["maturity"],
        languages=data["languages"],
        windows=data["windows"],
        published_at=datetime.fromisoformat(data["published_at"]),
        expires_at=datetime.fromisoformat(data["expires_at"]) if data["expires_at"] else None,
        recalled=recalled,
        cause=message,
    )


def _headline(data: Any) -> str:
    match data["kind"]:
        case Kind.LIVE_EVENT:
            return f"Live: {data['headline']}"
        case Kind.EPISODE:
            return f"New episode: {data['headline']}"
        case _:
            return f"Premiere: {data['headline']}"


def _what(data: Any) -> str:
    """Which part of which title, when it starts, and what it is about."""
    part = data["title_name"]
    if data["season"] is not None and data["episode"] is not None:
        part += f", season {data['season']}, episode {data['episode']}"
    elif data["episode"] is not None:
        part += f", episode {data['episode']}"
    if data["starts_at"]:
        part += f", {datetime.fromisoformat(data['starts_at']):%-d %B, %H:%M} UTC"
    synopsis = _shortened(data["synopsis"])
    return f"{part}. {synopsis}" if synopsis else f"{part}."


def _shortened(text: str) -> str:
    """`text` in one line, cut at a word where it is too long."""
    words = " ".join(text.split())
    return words if len(words) <= MAX_BODY else words[: MAX_BODY - 1].rsplit(" ", 1)[0] + "…"
