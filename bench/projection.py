"""Rebuilding the catalogue's releases from 10,000 and from 100,000 events: equality, rate, and the memory it takes."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any
from uuid import uuid4

from accounts.commands import create_viewer
from broker.event_store import RecordedEvent
from broker.models import StoredEvent
from catalog import release as domain
from catalog.commands import draft_release, edit_release, publish_release, recall_release
from catalog.models import Asset, Release, Studio, Title
from catalog.projection import release_row
from catalog.release import Event, ReleaseState, evolve
from catalog.studio_commands import create_studio, create_title

from .report import Row, row_within

SMALL, LARGE = 10_000, 100_000
RUNS = 5
AT_ONCE = 200  # releases stored in one go
BY_COMMANDS = 100  # releases that go the whole way through the commands, each of four events
EVENTS_OF_A_LIFE = 10
FLAT_MIB = 50.0
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class _Figures:
    rows: int
    seconds: float
    differences: int
    peak_mib: float


def run() -> list[Row]:
    """Grow a history, rebuild it in processes of their own, and compare with the rows that were stored."""
    title = _title()
    _live_by_commands(title)
    measured = {}
    for events in (SMALL, LARGE):
        _grow(title, events)
        measured[events] = [_rebuilt() for _ in range(RUNS)]
    peaks = {events: max(figures.peak_mib for figures in runs) for events, runs in measured.items()}
    return [
        *(_differences(events, runs) for events, runs in measured.items()),
        *(_rate(events, runs) for events, runs in measured.items()),
        *(_row(f"peak memory, {_said(events)}", peak, "MiB") for events, peak in peaks.items()),
        row_within(
            scenario="projection",
            metric=f"peak memory, {_said(LARGE)} less {_said(SMALL)}",
            value=peaks[LARGE] - peaks[SMALL],
            unit="MiB",
            at_most=FLAT_MIB,
        ),
    ]


def _differences(events: int, runs: Sequence[_Figures]) -> Row:
    different = max(figures.differences for figures in runs)
    metric = f"rows that differ after a rebuild, {_said(events)}"
    return row_within(scenario="projection", metric=metric, value=different, unit="rows", at_most=0)


def _rate(events: int, runs: Sequence[_Figures]) -> Row:
    rate = median(events / figures.seconds for figures in runs)
    return _row(f"rate, compare and swap included, {_said(events)}", rate, "events/s")


def _row(metric: str, value: float, unit: str) -> Row:
    return Row(scenario="projection", metric=metric, value=round(value, 1), unit=unit)


def _said(events: int) -> str:
    return f"{events:,} events"


def _rebuilt() -> _Figures:
    done = subprocess.run([sys.executable, "-m", "bench.rebuild_once"], stdout=subprocess.PIPE, check=True)
    return _Figures(**json.loads(done.stdout.splitlines()[-1]))


def _title() -> Title:
    creator = create_viewer(email=f"studio-{uuid4().hex[:8]}@bench.example", password=uuid4().hex)
    studio: Studio = create_studio(actor=creator, name=f"Bench {uuid4().hex[:8]}")
    return create_title(actor=None, studio=studio, name="The Long Night", category="movies")


def _live_by_commands(title: Title) -> None:
    for number in range(BY_COMMANDS):
        release = draft_release(actor=None, studio=title.studio, title=title, kind="premiere")
        edit_release(actor=None, release_id=release.pk, changes={"headline": f"Premiere {number}"})
        publish_release(actor=None, release_id=release.pk)
        recall_release(actor=None, release_id=release.pk, reason="a mistake")


def _grow(title: Title, events: int) -> None:
    """Store lives of releases until there are so many events: what commands would store, many at once."""
    lives = (events - StoredEvent.objects.count()) // EVENTS_OF_A_LIFE
    for done in range(0, lives, AT_ONCE):
        _store([_life(title, number) for number in range(done, min(done + AT_ONCE, lives))])


def _life(title: Title, number: int) -> tuple[str, str, list[RecordedEvent]]:
    """(aggregate, asset, events) of a release that was drafted, changed, encoded, scheduled, published and updated."""
    asset = str(uuid4())
    at = BEGIN + timedelta(seconds=number)
    decisions: list[Callable[[ReleaseState], list[Event]]] = [
        partial(domain.draft, title=title.pk, kind="premiere", details={"headline": f"Premiere {number}"}),
        partial(domain.edit, changes={"synopsis": "A night. " * 20}),
        partial(domain.edit, changes={"season": number % 90 + 1}),
        partial(domain.attach, asset=asset),
        partial(domain.record_encoded, asset=asset),
        partial(domain.schedule, at=(at + timedelta(days=1)).isoformat()),
        domain.unschedule,
        partial(domain.edit, changes={"expires_at": (at + timedelta(days=9)).isoformat()}),
        partial(domain.publish, at=at.isoformat()),
        partial(domain.edit, changes={"headline": f"Premiere {number}, at last"}),
    ]
    state, history = ReleaseState(), []
    for decide in decisions:
        [event] = decide(state)
        state = evolve(state, event)
        history.append(_recorded(event, version=state.version, at=at + timedelta(minutes=state.version)))
    return f"release:{uuid4()}", asset, history


def _recorded(event: Event, *, version: int, at: datetime) -> RecordedEvent:
    return RecordedEvent(version=version, type=event.type, data=event.data, metadata={"actor": None}, recorded_at=at)


def _store(lives: Sequence[tuple[str, str, list[RecordedEvent]]]) -> None:
    columns = ("version", "type", "data", "metadata", "recorded_at")
    stored: list[dict[str, Any]] = [
        {"aggregate": aggregate, **{name: getattr(event, name) for name in columns}}
        for aggregate, _, history in lives
        for event in history
    ]
    StoredEvent.objects.bulk_create(StoredEvent(**row) for row in stored)
    Asset.objects.bulk_create(Asset(pk=asset, state=Asset.State.READY) for _, asset, _ in lives)
    Release.objects.bulk_create(Release(**release_row(aggregate, history)) for aggregate, _, history in lives)
