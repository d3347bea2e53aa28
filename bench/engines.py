"""The four stream engines, each beside a bare client of its server that moves the same bytes in the same batches.

The bare client knows nothing of messages: it sends bodies that were encoded before, and does not look at what it reads.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from django.db import connection

from broker.messages import Message, from_text, to_text
from broker.streams import StreamEngine
from broker.streams.base import encode
from broker.streams.kafka import KafkaStreams
from broker.streams.postgres import PostgresStreams
from broker.streams.rabbitmq import RabbitStreams
from broker.streams.redis import RedisStreams

from .broker_processes import spare_collections
from .engines_bare import BareClient, BareKafka, BareRabbit, BareRedis
from .plot import beside_baselines
from .report import Row, percentile

ROUNDS = 7
BATCH = 500
BATCHES = 20  # a round, so that what opening a place to read at costs is not what is measured
SLOW_BATCHES = 8  # where a client moves no more than thousands a second
SINGLES = 300
TEXT = "x" * 1024
AT_LEAST = 0.5
PARTITIONS = 4
PLOT = Path("bench/results/engines.svg")


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that runs: its address, seconds until it answered, and MiB that its processes take now."""

    url: str
    started_in: float
    resident: Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class _Contender:
    """One engine on its server; `bare` makes its server's own client, where there is one to compare with."""

    name: str
    engine: StreamEngine
    server: Server
    bare: Callable[[str], BareClient] | None
    batches: int = BATCHES


def run(*, servers: Callable[[], AbstractContextManager[Mapping[str, Server | None]]]) -> list[Row]:
    """Every figure of every engine; for a server that this machine has not, a row without one."""
    rows: list[Row] = []
    with servers() as running:
        for name, server in running.items():
            if server is None:
                rows.append(_row(name, "append + read", 0, goal=_goal(), met=None))
            else:
                contender = _contender(name, server)
                rows += _rows(contender)
                if isinstance(contender.engine, KafkaStreams | RabbitStreams):
                    contender.engine.close()
    PLOT.write_text(beside_baselines("Messages a second, beside each server's bare client", rows))
    return rows


def _contender(name: str, server: Server) -> _Contender:
    engines: Mapping[str, tuple[Callable[[], StreamEngine], Callable[[str], BareClient] | None]] = {
        "postgres": (PostgresStreams, None),  # on the platform's own database
        "redis": (lambda: RedisStreams(server.url), BareRedis),
        "kafka": (lambda: KafkaStreams(server.url, partitions=lambda _: PARTITIONS), BareKafka),
        "rabbitmq": (lambda: RabbitStreams(server.url), BareRabbit),
    }
    make, bare = engines[name]
    batches = SLOW_BATCHES if name == "rabbitmq" else BATCHES
    return _Contender(name=name, engine=make(), server=server, bare=bare, batches=batches)


def _goal() -> str:
    return f">= {AT_LEAST:g} x the bare client"


def _row(name: str, metric: str, value: float, unit: str = "messages/s", **more: Any) -> Row:
    return Row(scenario="engines", metric=f"{name}: {metric}", value=value, unit=unit, **more)


def _rows(contender: _Contender) -> list[Row]:
    ours, theirs = _measure(contender)
    rows = []
    for metric in ("append", "read", "append + read"):
        rate = round(_rate(ours, metric, contender.batches))
        if not theirs:
            rows.append(_row(contender.name, metric, rate))
            continue
        baseline = round(_rate(theirs, metric, contender.batches))
        judged: dict[str, Any] = {}
        if metric == "append + read":
            judged = {"goal": _goal(), "met": rate >= AT_LEAST * baseline}
        rows.append(_row(contender.name, metric, rate, baseline=baseline, ratio=round(rate / baseline, 2), **judged))
    singles = _singles(contender.engine)
    return [
        *rows,
        _row(contender.name, f"append to {PARTITIONS} partitions at once", round(_at_once(contender.engine))),
        _row(contender.name, "one message, appended and read, p50", round(percentile(singles, 50), 2), "ms"),
        _row(contender.name, "one message, appended and read, p99", round(percentile(singles, 99), 2), "ms"),
        _row(contender.name, "server started in", round(contender.server.started_in, 1), "s"),
        _row(contender.name, "server's resident memory", round(contender.server.resident()), "MiB"),
    ]


Times = list[tuple[float, float]]  # seconds for appending and for reading, by round


def _rate(times: Times, metric: str, batches: int) -> float:
    seconds = {
        "append": [append for append, _ in times],
        "read": [read for _, read in times],
        "append + read": [append + read for append, read in times],
    }[metric]
    return BATCH * batches / median(seconds)


def _measure(contender: _Contender) -> tuple[Times, Times]:
    """Ours and the bare client's, by turns; the first round of each is not counted."""
    ours: Times = []
    theirs: Times = []
    bare = contender.bare(contender.server.url) if contender.bare else None
    try:
        for _ in range(ROUNDS + 1):
            ours.append(_our_round(contender.engine, contender.batches))
            if bare:
                theirs.append(_bare_round(bare, contender.batches))
    finally:
        if bare:
            bare.close()
    return ours[1:], theirs[1:]


def _our_round(engine: StreamEngine, count: int) -> tuple[float, float]:
    stream, batches = _stream(), _batches(count)
    engine.end(stream, 0)  # a first use declares the log
    spare_collections()
    started = time.perf_counter()
    for batch in batches:
        engine.append(stream, 0, batch)
    appended = time.perf_counter()
    offset = found = 0
    while found < BATCH * count:
        entries = engine.read(stream, 0, offset, limit=BATCH)
        offset, found = entries[-1].offset + 1, found + len(entries)
    return appended - started, time.perf_counter() - appended


def _bare_round(bare: BareClient, count: int) -> tuple[float, float]:
    stream = _stream()
    batches = [[encode(message) for message in batch] for batch in _batches(count)]
    bare.declare(stream)
    spare_collections()
    started = time.perf_counter()
    for batch in batches:
        bare.append(stream, batch)
    appended = time.perf_counter()
    bare.read(stream, count=BATCH * count, batch=BATCH)
    return appended - started, time.perf_counter() - appended


def _at_once(engine: StreamEngine) -> float:
    """Messages a second, by a thread a partition."""
    stream, batches = _stream(), _batches(SLOW_BATCHES)

    def append(partition: int) -> None:
        for batch in batches:
            engine.append(stream, partition, batch)
        connection.close()

    for partition in range(PARTITIONS):
        engine.end(stream, partition)
    started = time.perf_counter()
    with ThreadPoolExecutor(PARTITIONS) as pool:
        list(pool.map(append, range(PARTITIONS)))
    return PARTITIONS * BATCH * SLOW_BATCHES / (time.perf_counter() - started)


def _singles(engine: StreamEngine) -> list[float]:
    """Milliseconds from the append of one message to its being read, on an idle server."""
    stream, offset, times = _stream(), 0, []
    for message in [message for batch in _batches(1) for message in batch][:SINGLES]:
        started = time.perf_counter()
        engine.append(stream, 0, [message])
        while not (entries := engine.read(stream, 0, offset, limit=1)):
            pass
        times.append((time.perf_counter() - started) * 1000)
        offset = entries[-1].offset + 1
    return times[10:]


def _stream() -> str:
    return f"bench-{uuid4().hex[:12]}"


def _batches(count: int) -> list[list[Message]]:
    """Messages as the relay has them: read from the text that the outbox holds."""
    text = to_text(Message(type="bench.noted", exchange="bench", routing_key="", key="bench", data={"text": TEXT}))
    made = [from_text(text, position=number) for number in range(1, BATCH * count + 1)]
    return [made[start : start + BATCH] for start in range(0, len(made), BATCH)]
