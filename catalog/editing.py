"""Two people, or two tabs, edit one release at once: neither's work is lost without somebody deciding so.

A page knows the edits that it was rendered with, and its own; that is its vector clock. An edit whose clock is
concurrent to it was made by somebody else meanwhile. Where the two change different fields, both stand; where they
change the same field, the later one is refused until its author has chosen. A single version number could not tell a
tab's own autosaves, whose answers are still on their way, from somebody else's edits.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from broker.event_store import RecordedEvent
from broker.vector_clock import Order, VectorClock

from .errors import ConcurrentEdit, InvalidRelease

EDITS = frozenset({"release.edited", "release.updated"})
MAX_EDITOR = 64  # characters
Kept = Literal["", "mine", "theirs"]
CHOICES: Mapping[str, Kept] = {"": "", "mine": "mine", "theirs": "theirs"}


@dataclass(frozen=True, kw_only=True)
class Editing:
    """Who edits, knowing what. `keep` says whose value stands in a field that both changed; nothing: nobody chose."""

    editor: str
    seen: VectorClock = field(default_factory=VectorClock)
    keep: Kept = ""


def editing_of(*, editor: str, seen: str, keep: str = "") -> Editing:
    """What a form says of its page. Raises `InvalidRelease` for what no page of ours says."""
    try:
        clock = VectorClock(json.loads(seen))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidRelease("The page is out of date: load it again.", field="seen") from error
    if not 0 < len(editor) <= MAX_EDITOR or "\x00" in editor + seen or keep not in CHOICES:
        raise InvalidRelease("The page is out of date: load it again.", field="editor")
    return Editing(editor=editor, seen=clock, keep=CHOICES[keep])


def known_edits(history: Sequence[RecordedEvent]) -> VectorClock:
    """All edits in the history: what a page knows that is rendered with it."""
    clock = VectorClock()
    for event in history:
        clock = clock.merge(_clock_of(event))
    return clock


def settle(
    history: Sequence[RecordedEvent], wanted: Mapping[str, Any], editing: Editing
) -> tuple[dict[str, Any], VectorClock]:
    """What of `wanted` this editor changes, and the edit's clock. Raises `ConcurrentEdit`."""
    own = known_edits(history).get(editing.editor, 0)
    mine = editing.seen.merge(VectorClock({editing.editor: own} if own else {})).tick(editing.editor)
    others = [event for event in history if _clock_of(event).compare(mine) is Order.CONCURRENT]
    shown = _details([event for event in history if event not in others])
    changes = {name: value for name, value in wanted.items() if shown.get(name) != value}
    theirs: dict[str, Any] = {}
    for event in others:
        theirs |= event.data["changes"]
    disputed = {name: theirs[name] for name in changes if name in theirs and theirs[name] != changes[name]}
    if disputed and not editing.keep:
        raise ConcurrentEdit(disputed)
    if editing.keep == "theirs":
        changes = {name: value for name, value in changes.items() if name not in disputed}
    return changes, mine


def as_metadata(editing: Editing, clock: VectorClock) -> dict[str, Any]:
    """What the event of an edit remembers of it."""
    return {"editor": editing.editor, "clock": dict(clock)}


def _clock_of(event: RecordedEvent) -> VectorClock:
    return VectorClock(event.metadata.get("clock")) if event.type in EDITS else VectorClock()


def _details(history: Sequence[RecordedEvent]) -> dict[str, Any]:
    details: dict[str, Any] = {}
    for event in history:
        if event.type == "release.drafted":
            details |= event.data["details"]
        elif event.type in EDITS:
            details |= event.data["changes"]
    return details
