"""What a message costs when many are stored: relayed ones in the outbox, handled ones in the log."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from django.db import transaction
from django.test import override_settings

from broker import leases
from broker.outbox import publish
from broker.relay import LEASE, relay_batch

from .broker_app import TOPOLOGY, measured
from .broker_database import fill_outbox, own_database, store, use
from .broker_processes import broker_process, number, wait_until
from .plot import beside_baselines
from .report import Row

FEW, MANY = 100_000, 10_000_000
GROWTH_GOAL = 1.3
ROUNDS = 7
MESSAGES = 4_000  # relayed and handled in a round
PUBLISHES = 300  # in a round
PAYLOAD = "x" * 1024
PLOT = Path("bench/results/growth.svg")
_NOT_HANDLED = """
    SELECT (SELECT count(*) FROM broker_outboxmessage WHERE relayed_at IS NULL)
        + (SELECT sum(next_offset) FROM broker_streampartition)
        - (SELECT sum(next_offset) FROM broker_grouppartition)
"""


@dataclass(kw_only=True)
class _Stored:
    """A database with so many messages, and the microseconds that one more took in each round, by step."""

    count: int
    url: str
    name: str
    times: dict[str, list[float]] = field(default_factory=dict)


def run() -> list[Row]:
    """Rounds on a database with few messages and on one with many."""
    with override_settings(BROKER_TOPOLOGY=TOPOLOGY), ExitStack() as open_:
        few, many = (_stored(count, open_) for count in (FEW, MANY))
        _measure(_publish, few, many, fill=False)
        _measure(_relay, few, many)
        with _broker_process_on(few), _broker_process_on(many):
            _measure(_relay_and_handle, few, many)
        rows = [_row(step, few, many) for step in many.times]
    PLOT.write_text(beside_baselines("Microseconds a message, with so many stored", rows))
    return rows


def _stored(count: int, open_: ExitStack) -> _Stored:
    url = open_.enter_context(own_database())
    store(count)
    return _Stored(count=count, url=url, name=url.rpartition("/")[2])


def _broker_process_on(stored: _Stored) -> ExitStack:
    """A broker at work on that database."""
    use(stored.name)
    stack = ExitStack()
    stack.enter_context(broker_process(stored.url))
    return stack


def _measure(step: Callable[[], tuple[str, int]], *places: _Stored, fill: bool = True) -> None:
    for place in places * (ROUNDS + 1):
        use(place.name)
        if fill:
            fill_outbox(MESSAGES, text=PAYLOAD)
        started = time.perf_counter()
        name, count = step()
        place.times.setdefault(name, []).append((time.perf_counter() - started) / count * 1e6)


def _publish() -> tuple[str, int]:
    for n in range(PUBLISHES):
        with transaction.atomic():
            publish(measured(n, text=PAYLOAD))
    return "publish with its commit", PUBLISHES


def _relay() -> tuple[str, int]:
    generation = leases.take(LEASE, owner="bench")
    relayed = 0
    while batch := relay_batch(generation=generation or 0, send=lambda _: None):
        relayed += batch
    return "relay", relayed


def _relay_and_handle() -> tuple[str, int]:
    wait_until(lambda: number(_NOT_HANDLED) == 0)
    return "outbox → handled", MESSAGES


def _row(step: str, few: _Stored, many: _Stored) -> Row:
    value, baseline = (_usual(place.times[step]) for place in (many, few))
    return Row(
        scenario="growth",
        metric=f"{step}, a message with {MANY / 1e6:g} million stored; baseline: with {FEW / 1e3:g} thousand",
        value=round(value, 1),
        unit="µs",
        baseline=round(baseline, 1),
        ratio=round(value / baseline, 2),
        goal=f"<= {GROWTH_GOAL:g} x the baseline",
        met=value <= GROWTH_GOAL * baseline,
    )


def _usual(times: Sequence[float]) -> float:
    return median(times[1:])  # the first round warms up
