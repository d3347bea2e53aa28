"""Places in a log are found on every engine: the first entry, the end, an offset, a moment; and how much waits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from broker import clock, heads, offsets
from broker.offsets import Anchor
from broker.streams import StreamEngine

from .harness import messages, read_all

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _this_engine(engine: StreamEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (offsets, heads):
        monkeypatch.setattr(module, "engine", lambda: engine)


def test_a_place_is_found_by_its_name_its_offset_and_its_time(engine: StreamEngine, stream: str) -> None:
    minutes = [0, 10, 20, 22, 21, 40, 50, 60, 70, 80]  # two lie the wrong way round
    sent = messages(len(minutes))
    engine.append(
        stream, 0, [replace(each, time=START + timedelta(minutes=m)) for each, m in zip(sent, minutes, strict=True)]
    )
    entries = read_all(engine, stream)
    at = [entry.offset for entry in entries]

    assert offsets.find(stream, 0, Anchor.EARLIEST) == at[0]
    assert offsets.find(stream, 0, Anchor.LATEST) == engine.end(stream, 0)
    assert offsets.find(stream, 0, at[4]) == at[4]
    for minute, expected in (
        (-5, at[0]),
        (20, at[2]),
        (22, at[3]),
        (41, at[6]),
        (80, at[9]),
        (81, engine.end(stream, 0)),
    ):
        assert offsets.find(stream, 0, START + timedelta(minutes=minute)) == expected
    place = offsets.place_at(stream, 0, at[4], watermark=10**9)
    assert (place.offset, place.watermark) == (at[4], entries[4].position - 1)
    assert offsets.place_at(stream, 0, engine.end(stream, 0), watermark=0).watermark == entries[-1].position


def test_of_a_log_that_nobody_has_written_to_every_place_is_the_first(stream: str) -> None:
    for target in (Anchor.EARLIEST, Anchor.LATEST, 0, START):
        assert offsets.find(stream, 0, target) == 0
    assert offsets.place_at(stream, 0, 0, watermark=7).watermark == 7


def test_what_waits_has_a_number_and_an_age(engine: StreamEngine, stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: START + timedelta(minutes=5))
    engine.append(stream, 0, [replace(each, time=START) for each in messages(3)])
    end = engine.end(stream, 0)

    behind = heads._asked((stream, 0, end - 2), end)
    assert (behind.end, behind.seconds) == (end, 300)
    assert heads._asked((stream, 0, end), end).seconds == 0
