"""What may be said of a release: checked here once, for forms, API and seed alike."""

from collections.abc import Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from accounts.places import REGIONS, unknown_languages

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


def _languages(name: str, value: Any) -> list[str] | None:
    """None where none is said: then the release is for everybody."""
    if unknown := unknown_languages(value or ()):
        raise InvalidRelease(f"There is no language {unknown[0][:20]!r} here.", field=name)
    return sorted(set(value)) if value else None


def _windows(name: str, value: Any) -> list[dict[str, Any]] | None:
    """By region; None where there are none: then the release is out everywhere."""
    windows = sorted((_window(name, window) for window in value or ()), key=itemgetter("region"))
    regions = [window["region"] for window in windows]
    if len(set(regions)) < len(regions):
        raise InvalidRelease("A region can have one window.", field=name)
    return windows or None


def _window(name: str, window: Mapping[str, Any]) -> dict[str, Any]:
    region, opens_at, closes_at = str(window.get("region")), window.get("opens_at"), window.get("closes_at")
    if region not in REGIONS:
        raise InvalidRelease(f"There is no region {region[:20]!r}.", field=name)
    edges = {"opens_at": _moment(name, opens_at), "closes_at": _moment(name, closes_at)}
    if opens_at and closes_at and closes_at <= opens_at:
        raise InvalidRelease(f"In {REGIONS[region]}, the window would close before it opens.", field=name)
    return {"region": region, **edges}


_CLEANERS = {
    "headline": _headline,
    "synopsis": _synopsis,
    "season": _number,
    "episode": _number,
    "starts_at": _moment,
    "expires_at": _moment,
    "languages": _languages,
    "windows": _windows,
}
