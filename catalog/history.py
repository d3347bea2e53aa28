"""The events of a release, told to its studio."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from broker.event_store import RecordedEvent

WORDS = {
    "release.drafted": "Drafted",
    "release.edited": "Edited",
    "release.updated": "Changed after publication; everyone's card was updated",
    "release.asset_attached": "Video uploaded",
    "release.encoded": "Video ready",
    "release.encoding_failed": "Video could not be used",
    "release.scheduled": "Scheduled",
    "release.unscheduled": "Made a draft again",
    "release.published": "Published",
    "release.recalled": "Recalled",
}


@dataclass(frozen=True, slots=True)
class Told:
    """An event in words."""

    words: str
    at: datetime


def told(history: Sequence[RecordedEvent]) -> list[Told]:
    """The history in words, the newest first; edits in a row are one."""
    lines: list[Told] = []
    for event in reversed(history):
        line = Told(WORDS.get(event.type, event.type), event.recorded_at)
        if not lines or lines[-1].words != line.words:
            lines.append(line)
    return lines
