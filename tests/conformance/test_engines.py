"""What every stream engine must do, whatever it stands on. Only `Features` may differ."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from broker import clock, offsets, retention
from broker.errors import CannotTrim, StreamsUnavailable
from broker.messages import from_body
from broker.streams import Entry, StreamEngine
from broker.topology import Stream

from .harness import Harness, messages, positions_of, read_all


def test_what_was_appended_is_read_in_its_order(engine: StreamEngine, stream: str) -> None:
    sent = messages(250)
    for start in range(0, 250, 50):
        engine.append(stream, 0, sent[start : start + 50])
    entries = read_all(engine, stream)

    assert [from_body(entry.body) for entry in entries] == sent
    assert positions_of(entries) == [message.position for message in sent]
    offsets = [entry.offset for entry in entries]
    assert offsets == sorted(set(offsets))


def test_reading_may_begin_at_any_offset_and_go_back(engine: StreamEngine, stream: str) -> None:
    engine.append(stream, 0, messages(30))
    entries = read_all(engine, stream)

    for place in (17, 0, 29, 5, 5):
        assert engine.read(stream, 0, entries[place].offset, limit=1000) == entries[place:]


def test_reading_is_limited(engine: StreamEngine, stream: str) -> None:
    engine.append(stream, 0, messages(30))

    assert len(engine.read(stream, 0, 0, limit=7)) == 7
    assert engine.read(stream, 0, 3, limit=4) == read_all(engine, stream)[3:7]


def test_a_log_that_nobody_has_written_to_is_empty(engine: StreamEngine, stream: str) -> None:
    assert engine.end(stream, 1) == 0
    assert engine.read(stream, 1, 0, limit=10) == []


def test_the_end_is_the_offset_of_the_next_entry(engine: StreamEngine, stream: str) -> None:
    for size in (1, 200, 3):
        end = engine.end(stream, 0)
        assert engine.read(stream, 0, end, limit=10) == []
        engine.append(stream, 0, messages(size))
        assert engine.read(stream, 0, end, limit=1000)[0].offset == end
        assert engine.end(stream, 0) == read_all(engine, stream)[-1].offset + 1


def test_beyond_the_end_there_is_nothing(engine: StreamEngine, stream: str) -> None:
    engine.append(stream, 0, messages(3))

    assert engine.read(stream, 0, engine.end(stream, 0) + 50, limit=10) == []


def test_what_was_appended_can_be_read_at_once(engine: StreamEngine, stream: str) -> None:
    start = 0
    for _ in range(20):
        sent = messages(3)
        engine.append(stream, 0, sent)
        entries = read_all(engine, stream, start=start)
        assert positions_of(entries) == [message.position for message in sent]
        start = entries[-1].offset + 1


def test_partitions_and_streams_are_apart(engine: StreamEngine, stream: str) -> None:
    logs = [(stream, 0), (stream, 1), (f"{stream}-too", 0)]
    sent = [messages(number) for number in (2, 3, 4)]
    for (name, partition), batch in zip(logs, sent, strict=True):
        engine.append(name, partition, batch)

    for (name, partition), batch in zip(logs, sent, strict=True):
        assert positions_of(read_all(engine, name, partition)) == [message.position for message in batch]


def test_readers_at_different_places_do_not_disturb_each_other(engine: StreamEngine, stream: str) -> None:
    engine.append(stream, 0, messages(60))
    entries = read_all(engine, stream)
    places = [0, 20, 40]
    for _ in range(4):
        for reader, place in enumerate(places):
            assert engine.read(stream, 0, entries[place].offset, limit=5) == entries[place : place + 5]
            places[reader] += 5


def test_a_large_message_and_any_text_fit(engine: StreamEngine, stream: str) -> None:
    sent = [*messages(1, size=1_050_000), *messages(1, key="ключ:鍵:🔑")]
    engine.append(stream, 0, sent)

    assert [from_body(entry.body) for entry in read_all(engine, stream)] == sent


def test_threads_may_share_an_engine(engine: StreamEngine, stream: str) -> None:
    sent = {partition: [messages(10) for _ in range(10)] for partition in (0, 1)}
    found: dict[int, list[Entry]] = {0: [], 1: []}

    def append(partition: int) -> None:
        for batch in sent[partition]:
            engine.append(stream, partition, batch)

    def read(partition: int) -> None:
        while len(found[partition]) < 100:
            start = found[partition][-1].offset + 1 if found[partition] else 0
            found[partition] += engine.read(stream, partition, start, limit=7)

    run_together([(append, 0), (append, 1), (read, 0), (read, 1)])
    for partition, batches in sent.items():
        assert positions_of(found[partition]) == [message.position for batch in batches for message in batch]


def run_together(jobs: list[tuple[Callable[[int], None], int]]) -> None:
    def run(job: Callable[[int], None], argument: int) -> None:
        try:
            job(argument)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def test_trimming_forgets_what_is_before_or_is_refused(harness: Harness, engine: StreamEngine, stream: str) -> None:
    engine.append(stream, 0, messages(10))
    entries = read_all(engine, stream)
    if not harness.trims:
        with pytest.raises((CannotTrim, StreamsUnavailable)):
            engine.trim(stream, 0, entries[4].offset)
        assert read_all(engine, stream) == entries
        return

    assert engine.trim(stream, 0, entries[4].offset) == 4
    assert engine.trim(stream, 0, entries[4].offset) == 0
    assert read_all(engine, stream) == entries[4:]
    assert engine.trim(stream, 0, 1000) == 6
    assert (engine.end(stream, 0), read_all(engine, stream)) == (entries[-1].offset + 1, [])
    engine.append(stream, 0, messages(1))
    assert [entry.offset for entry in read_all(engine, stream)] == [entries[-1].offset + 1]


def test_retention_finds_where_to_trim_by_age_and_by_size(
    engine: StreamEngine, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (retention, offsets):
        monkeypatch.setattr(module, "engine", lambda: engine)
    now = datetime.now(UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    ages = [timedelta(hours=3)] * 250 + [timedelta(minutes=5)] * 50
    sent = [replace(each, time=now - age) for each, age in zip(messages(300), ages, strict=True)]
    engine.append(stream, 0, sent)
    entries = read_all(engine, stream)
    keeping = Stream(name=stream, partitions=1, trim_unread=True)

    by_age = replace(keeping, max_age=timedelta(hours=1))
    assert retention.keeps_from(by_age, 0) == (entries[0].offset, entries[250].offset)
    by_size = replace(keeping, max_bytes=sum(map(retention._bytes, entries[280:])))
    keep = retention.keeps_from(by_size, 0)[1]
    assert entries[275].offset <= keep <= entries[285].offset
