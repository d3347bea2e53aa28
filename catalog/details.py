"""What may be said of a release: checked here once, for forms, API and seed alike."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .errors import InvalidRelease
from .models import ReleaseKind, Title
from .release import DETAILS

MAX_NUMBER = 32_767  # a PostgreSQL smallint


def clean_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """The given details as JSON types. Raises `InvalidRelease` naming the field."""
    unknown = set(details) - set(DETAILS)
    if unknown:
        raise InvalidRelease(f"A release has no {', '.join(sorted(unknown))}.")
    return {name: _CLEANERS[name](name, value) for name, value in details.items()}


def check_span(*, starts_at: datetime | None, expires_at: datetime | None) -> None:
    """Raise `InvalidRelease` for what would be over before it begins."""
    if starts_at and expires_at and expires_at <= starts_at:
        raise InvalidRelease("The release would be over before it begins.", field="expires_at")


def default_headline(title: Title, *, kind: str, season: int | None, episode: int | None) -> str:
    """What is told of a release when the studio wrote no headline."""
    if kind == ReleaseKind.EPISODE and episode:
        place = f"S{season} E{episode}" if season else f"Episode {episode}"
        return f"{title.name}: {place}"
    return f"{title.name}, live" if kind == ReleaseKind.LIVE_EVENT else title.name


def clean_text(name: str, value: Any, *, limit: int) -> str:
    """Text without surrounding blanks, at most `limit` characters, without NUL. Raises `InvalidRelease`."""
    text = str(value or "").strip()
    if len(text) > limit:
        raise InvalidRelease(f"The {name} has {len(text)} characters; {limit} is the limit.", field=name)
    if "\x00" in text:
        raise InvalidRelease(f"The {name} holds a NUL character.", field=name)
    return text


def _headline(name: str, value: Any) -> str:
    text = clean_text(name, value, limit=160)
    if not text:
        raise InvalidRelease("A release needs a headline.", field=name)
    return text


def _synopsis(name: str, value: Any) -> str:
    return clean_text(name, str(value or "").replace("\r\n", "\n"), limit=2000)  # a browser's line ends


def _number(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or not 1 <= value <= MAX_NUMBER:
        raise InvalidRelease(f"The {name} must be a whole number from 1 to {MAX_NUMBER}.", field=name)
    return value


def _moment(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidRelease(f"{name} must be a moment with a time zone.", field=name)
    return value.astimezone(UTC).isoformat()  # one moment, one text


_CLEANERS = {
    "headline": _headline,
    "synopsis": _synopsis,
    "season": _number,
    "episode": _number,
    "starts_at": _moment,
    "expires_at": _moment,
}
