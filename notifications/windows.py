"""Region windows: a release may be out in some regions alone, in each from a moment until another.

As JSON, `[{"region": "DE", "opens_at": "2026-03-01T20:00:00+00:00", "closes_at": null}, …]`; none at all means
everywhere and always.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Windows = Sequence[Mapping[str, Any]]


def open_regions(windows: Windows | None, now: datetime) -> list[str] | None:
    """The regions in which it is out, by name; None means everywhere."""
    if not windows:
        return None
    return sorted(window["region"] for window in windows if _begin(window) <= now.timestamp() < _end(window))


def next_turn(windows: Windows | None, now: datetime) -> datetime | None:
    """When the next window opens or closes."""
    moments = [window[edge] for window in windows or () for edge in ("opens_at", "closes_at") if window[edge]]
    later = [moment for moment in map(datetime.fromisoformat, moments) if moment > now]
    return min(later, default=None)


def _begin(window: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(window["opens_at"]).timestamp() if window["opens_at"] else float("-inf")


def _end(window: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(window["closes_at"]).timestamp() if window["closes_at"] else float("inf")
