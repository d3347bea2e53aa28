"""What every stream engine must bear: connections that are cut, servers that are away, servers that are killed."""

import time
from collections.abc import Iterator
from functools import partial

import pytest
from django.db import connection

from broker.streams import StreamEngine

from .harness import Harness, messages, positions_of, read_all

BATCH = 400


@pytest.fixture(autouse=True)
def _in_order_again(harness: Harness, engine: StreamEngine, stream: str) -> Iterator[None]:
    yield
    connection.close()
    harness.proxy.cut()
    # A client may learn only from its next verb that it was cut: let that be ours, not the next test's.
    harness.insist(lambda: engine.end(stream, 0))


def test_a_cut_connection_costs_an_error_at_most(harness: Harness, engine: StreamEngine, stream: str) -> None:
    sent = messages(6)
    for message in sent:
        harness.insist(partial(engine.append, stream, 0, [message]))
        harness.proxy.cut()

    entries = harness.insist(lambda: read_all(engine, stream))
    found = positions_of(entries)
    assert list(dict.fromkeys(found)) == [message.position for message in sent]
    harness.proxy.cut()
    assert harness.insist(lambda: engine.read(stream, 0, entries[2].offset, limit=1)) == entries[2:3]
    harness.proxy.cut()
    assert harness.insist(lambda: engine.end(stream, 0)) == entries[-1].offset + 1


@pytest.mark.parametrize("sent_before", [20_000, 150_000, 380_000])
def test_a_batch_that_was_cut_is_there_up_to_a_message_and_can_be_repeated(
    harness: Harness, engine: StreamEngine, stream: str, sent_before: int
) -> None:
    first, batch = messages(1), messages(BATCH, size=1024)
    harness.insist(lambda: engine.append(stream, 0, first))
    wanted = [message.position for message in batch]

    # When the connection is cut in the middle of a batch
    harness.proxy.cut_after(sent_before)
    try:
        engine.append(stream, 0, batch)
    except harness.lost:
        connection.close()
    # Then no message of it is there without those before it
    arrived = positions_of(harness.insist(lambda: read_all(engine, stream)))[1:]
    assert arrived == wanted[: len(arrived)]

    # And when it is repeated, every message's first occurrence is in order
    harness.insist(lambda: engine.append(stream, 0, batch))
    found = positions_of(harness.insist(lambda: read_all(engine, stream)))[1:]
    assert list(dict.fromkeys(found)) == wanted


def test_a_server_that_is_away_is_an_error_within_seconds_and_no_harm(
    harness: Harness, engine: StreamEngine, stream: str
) -> None:
    first, second = messages(1), messages(1)
    harness.insist(lambda: engine.append(stream, 0, first))
    harness.proxy.close()
    try:
        for verb in (
            lambda: engine.append(stream, 0, second),
            lambda: engine.read(stream, 0, 0, limit=1),
            lambda: engine.end(stream, 0),
        ):
            started = time.monotonic()
            with pytest.raises(harness.lost):
                verb()
            connection.close()
            assert time.monotonic() - started < 10
    finally:
        harness.proxy.open()

    harness.insist(lambda: engine.append(stream, 0, second))
    found = positions_of(harness.insist(lambda: read_all(engine, stream)))
    assert list(dict.fromkeys(found)) == [first[0].position, second[0].position]


def test_what_was_appended_survives_a_killed_server(harness: Harness, engine: StreamEngine, stream: str) -> None:
    sent = messages(50)
    harness.insist(lambda: engine.append(stream, 0, sent[:25]))
    before = harness.insist(lambda: read_all(engine, stream))
    if not harness.keeps_data:  # what a broker without a disk can show: its clients find it again
        harness.proxy.cut()
        assert harness.insist(lambda: read_all(engine, stream)) == before
        return
    time.sleep(harness.settles_in)
    harness.server.kill()
    harness.server.start()

    after = harness.insist(lambda: read_all(engine, stream))
    assert after == before
    harness.insist(lambda: engine.append(stream, 0, sent[25:]))
    found = harness.insist(lambda: read_all(engine, stream))
    assert list(dict.fromkeys(positions_of(found))) == [message.position for message in sent]
    assert harness.insist(lambda: engine.end(stream, 0)) == found[-1].offset + 1
