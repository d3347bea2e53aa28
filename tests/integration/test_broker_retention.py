"""Retention: what a stream forgets, by age and by size; never what a group has not read, unless it says so."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from broker import queries, retention
from broker.errors import BrokerError
from broker.management.commands.broker_topology import Command
from broker.models import GroupPartition, StreamMessage
from broker.retention import keeps_from, trim_streams
from broker.streams import engine
from broker.tasks import trim_streams as trim_task
from broker.topology import Stream
from tests.support import broker_app
from tests.support.broker_app import handle_all, publish_now, relay_all, sample

HOUR = timedelta(hours=1)
HERE = "tests.integration.test_broker_retention"

plain = Stream(name="log", partitions=2)
by_age = replace(broker_app.topology, streams=(replace(plain, max_age=HOUR),))
unread_too = replace(broker_app.topology, streams=(replace(plain, max_age=HOUR, trim_unread=True),))
free = replace(plain, trim_unread=True)  # so that no group matters


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    with broker_app.installed(tmp_path):
        yield


def fill(hours_old: Sequence[float], *, sizes: Sequence[int] = (), stream: str = "log") -> None:
    """Append an entry for each age to partition 0, each with a text of its size."""
    texts = sizes or [0] * len(hours_old)
    now = timezone.now()
    engine().append(
        stream,
        0,
        [
            sample(n, text="x" * size, time=now - age * HOUR, position=n + 1)
            for n, (age, size) in enumerate(zip(hours_old, texts, strict=True))
        ],
    )


def offsets() -> list[int]:
    return [entry.offset for entry in engine().read("log", 0, 0, limit=10_000)]


@pytest.mark.parametrize(
    ("hours_old", "kept"),
    [
        ([], 0),
        ([2, 2, 2], 0),
        ([0.5, 0.4], 2),
        ([3, 2, 1.5, 0.5, 0.1], 2),
        ([3] * 300 + [0.5] * 40, 40),
        ([3] * 40 + [0.5] * 300, 300),
        # A message that was replayed brings its old time with it: nothing young before it goes
        ([3] * 100 + [0.5] * 60 + [50] + [0.5] * 60, 121),
        ([3] * 100 + [0.5] * 27 + [50] * 3 + [0.5] * 100, 130),
    ],
)
def test_what_is_older_than_the_age_goes(hours_old: list[float], kept: int) -> None:
    fill(hours_old)

    _, keep = keeps_from(replace(free, max_age=HOUR), 0)
    assert len(hours_old) - keep == kept


def sizes_from(offset: int) -> int:
    return sum(retention._bytes(entry) for entry in engine().read("log", 0, offset, limit=10_000))


def test_of_a_short_log_exactly_as_many_bytes_stay_as_it_may_keep() -> None:
    fill([0.0] * 50, sizes=[n * 10 for n in range(50)])
    limit = sizes_from(20)

    assert keeps_from(replace(free, max_bytes=2 * limit), 0) == (0, 20)  # each of two partitions has half
    assert keeps_from(replace(free, max_bytes=2 * limit - 2), 0) == (0, 21)
    assert keeps_from(replace(free, max_bytes=2 * sizes_from(0)), 0) == (0, 0)
    assert keeps_from(replace(free, max_bytes=2), 0) == (0, 50)


@pytest.mark.parametrize("growing", [True, False])
def test_of_a_long_log_about_as_many_bytes_stay_however_sizes_changed(growing: bool) -> None:
    sizes = [10 + n // 2 if growing else 3000 - n // 2 for n in range(6000)]
    fill([0.0] * 6000, sizes=sizes)

    for share in (2, 20):
        limit = sizes_from(0) // share
        _, keep = keeps_from(replace(free, max_bytes=2 * limit), 0)
        assert 0.9 * limit < sizes_from(keep) < 1.1 * limit


def test_a_long_log_is_not_read_to_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a log of two hundred thousand
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO broker_streammessage (stream, partition, "offset", position, body) '
            "SELECT 'log', 0, n, n, jsonb_build_object('time', now() - (200000 - n) * interval '1 second') "
            "FROM generate_series(0, 199999) AS n"
        )
        cursor.execute("INSERT INTO broker_streampartition VALUES ('log', 0, 200000, 0)")
    read, seen = engine().read, []

    def counted(*place: Any, limit: int) -> Any:
        entries = read(*place, limit=limit)
        seen.append(len(entries))
        return entries

    monkeypatch.setattr(engine(), "read", counted)

    _, keep = keeps_from(replace(free, max_age=HOUR), 0)
    assert abs(200_000 - keep - 3600) <= 60  # time passes
    assert (len(seen) < 25, sum(seen) < 500) == (True, True)
    seen.clear()
    _, keep = keeps_from(replace(free, max_bytes=2 * 5_000_000), 0)
    assert sum(seen) < 4000
    assert 0.9 < (200_000 - keep) * retention._bytes(engine().read("log", 0, 7, limit=1)[0]) / 5_000_000 < 1.1


def test_what_a_group_has_not_read_stays() -> None:
    publish_now(*(sample(n, time=timezone.now() - 2 * HOUR) for n in range(10)))
    relay_all()
    partition = StreamMessage.objects.first()
    assert partition
    with override_settings(BROKER_TOPOLOGY=f"{HERE}.by_age"):
        assert trim_streams() == 0
        for group in ("exact", "atleast"):
            handle_all(group)
        assert trim_streams() == 0  # a third group has not begun
        handle_all("atmost")
        publish_now(sample(10, time=timezone.now() - 2 * HOUR))
        relay_all()

        assert trim_task() == 10
    assert StreamMessage.objects.count() == 1
    assert {lag.lag for lag in queries.lag() if lag.partition == partition.partition} == {1}


def test_a_stream_that_says_so_forgets_the_unread_and_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 3)
    publish_now(*(sample(n, time=timezone.now() - 2 * HOUR) for n in range(10)))
    relay_all()
    handle_all("exact")
    handle_all("atleast")
    handle_all("atmost")
    GroupPartition.objects.filter(group="atleast").update(next_offset=4)
    with override_settings(BROKER_TOPOLOGY=f"{HERE}.unread_too"):
        assert trim_streams() == 10
        assert trim_streams() == 0

    counts = dict(GroupPartition.objects.exclude(expired_count=0).values_list("group", "expired_count"))
    assert counts["atleast"] == 6
    assert "exact" not in counts
    # And whoever was behind goes on with what there is
    publish_now(sample(11))
    relay_all()
    handle_all("atleast")
    assert broker_app.effects("atleast")[-1] == 11


def test_a_run_stops_after_its_time_and_the_next_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 1)
    fill([2.0] * 5)
    trims: list[int] = []
    trim = engine().trim

    def noted(stream: str, partition: int, before: int) -> int:
        trims.append(before)
        return trim(stream, partition, before)

    monkeypatch.setattr(engine(), "trim", noted)
    with override_settings(BROKER_TOPOLOGY=f"{HERE}.unread_too"):
        monkeypatch.setattr(retention, "RUN_SECONDS", 0.0)
        assert trim_streams() == 0
        monkeypatch.setattr(retention, "RUN_SECONDS", 60.0)
        assert trim_streams() == 5
    assert trims == [1, 2, 3, 4, 5]
    assert offsets() == []


def test_an_engine_whose_server_decides_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fill([2.0] * 5)
    monkeypatch.setattr(type(engine()), "features", replace(engine().features, trims=False, retention="7 days"))
    with override_settings(BROKER_TOPOLOGY=f"{HERE}.unread_too"):
        assert trim_streams() == 0
        assert "as the server says: 7 days" in shown()


def test_an_engine_that_refuses_leaves_everything_and_the_next_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fill([2.0] * 5)
    GroupPartition.objects.create(group="exact", stream="log", partition=0)
    with override_settings(BROKER_TOPOLOGY=f"{HERE}.unread_too"):
        with monkeypatch.context() as patch:

            def refuse(*_: object) -> int:
                raise BrokerError("not now")

            patch.setattr(engine(), "trim", refuse)
            assert trim_streams() == 0
        assert GroupPartition.objects.get(group="exact").expired_count == 0
        assert trim_streams() == 5
    assert GroupPartition.objects.get(group="exact").expired_count == 5


def shown(*arguments: str) -> str:
    output = StringIO()
    call_command(Command(), *arguments, stdout=output)
    return output.getvalue()


def test_the_topology_shows_what_streams_keep() -> None:
    assert "everything" in shown()
    with override_settings(BROKER_TOPOLOGY=f"{HERE}.by_age"):
        assert "1:00:00 and what is unread" in shown()
    with override_settings(BROKER_TOPOLOGY=f"{HERE}.unread_too"):
        stream = json.loads(shown("--json"))["streams"][0]
    assert (stream["max_age"], stream["max_bytes"], stream["trim_unread"]) == (3600.0, None, True)
