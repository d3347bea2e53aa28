"""The broker on PostgreSQL: from a filled outbox to handled, beside a bare outbox loop; and how long one message takes.

Runs of ours and of the baseline take turns, each on an empty database of the same server, with the same bodies.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from django.db import connection, transaction
from django.test import override_settings

from broker.outbox import publish

from .broker_app import TIMES, TOPOLOGY, measured
from .broker_database import copy_to_bare_outbox, fill_outbox, own_database
from .broker_processes import broker_process, number, process, spare_collections, wait_until
from .plot import beside_baselines
from .report import Row, percentile, row_within

ROUNDS = 5
MESSAGES = 30_000
PAYLOAD = "x" * 1024
BARE_FLOOR = 4_000.0  # messages/s; a bare loop below this says that the machine was busy with something else
RATIO_GOAL = 0.5
PLOT = Path("bench/results/broker.svg")

RATE, SECONDS, PUBLISHERS = 500, 20, 8
P99_GOAL_MS = 50.0


def run() -> list[Row]:
    """Measure, on databases of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-broker-") as folder, override_settings(BROKER_TOPOLOGY=TOPOLOGY):
        rows = [_throughput_row(), *_latency_rows(Path(folder) / "times")]
    PLOT.write_text(beside_baselines("Messages a second, beside a bare outbox loop", rows))
    return rows


# --- Throughput ------------------------------------------------------------------------------------------------------
def _throughput_row() -> Row:
    ours, bare = [], []
    for _ in range(ROUNDS):
        with own_database() as url:
            ours.append(MESSAGES / _seconds_of_ours(url))
            bare.append(MESSAGES / _seconds_of_bare(url))
    value, baseline = median(ours), median(bare)
    return Row(
        scenario="broker",
        metric="outbox → handled, 1 KiB",
        value=round(value),
        unit="messages/s",
        baseline=round(baseline),
        ratio=round(value / baseline, 2),
        goal=f">= {RATIO_GOAL:g} x a bare outbox loop",
        met=value >= RATIO_GOAL * baseline and baseline >= BARE_FLOOR,
    )


def _seconds_of_ours(url: str) -> float:
    with broker_process(url):
        return _seconds_until(_are_all_handled, after=lambda: fill_outbox(MESSAGES, text=PAYLOAD))


def _seconds_of_bare(url: str) -> float:
    with process("-m", "bench.bare_outbox", url, url=url):
        return _seconds_until(
            lambda: number("SELECT next_offset FROM bare_reader") > MESSAGES, after=copy_to_bare_outbox
        )


def _seconds_until(is_done: Callable[[], bool], *, after: Callable[[], None]) -> float:
    _write_what_is_left()
    after()
    started = time.perf_counter()
    wait_until(is_done)
    return time.perf_counter() - started


def _write_what_is_left() -> None:
    """So that nobody waits for the disk because of an earlier round."""
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def _are_all_handled() -> bool:
    return number("SELECT coalesce(sum(next_offset), 0) FROM broker_grouppartition") >= MESSAGES


# --- Latency ---------------------------------------------------------------------------------------------------------
def _latency_rows(times: Path) -> list[Row]:
    """Messages published one by one on a fixed schedule; a late publisher's delay is counted too."""
    with own_database() as url, broker_process(url, **{TIMES: str(times)}):
        _write_what_is_left()
        spare_collections()
        costs = _publish_on_schedule()
        wait_until(lambda: times.exists() and len(times.read_text().splitlines()) >= RATE * SECONDS)
    waits = [float(line) * 1000 for line in times.read_text().splitlines()]
    at_rate = f"at {RATE}/s"
    return [
        row_within(
            scenario="broker",
            metric=f"publish → handled {at_rate}, p99",
            value=percentile(waits, 99),
            unit="ms",
            at_most=P99_GOAL_MS,
        ),
        Row(
            scenario="broker",
            metric=f"publish → handled {at_rate}, p50",
            value=round(percentile(waits, 50), 2),
            unit="ms",
        ),
        Row(
            scenario="broker",
            metric=f"publish with its commit {at_rate}, p50",
            value=round(median(costs), 2),
            unit="ms",
        ),
    ]


def _publish_on_schedule() -> Sequence[float]:
    """Milliseconds that each transaction took."""
    costs: list[float] = []
    begin: list[float] = []
    all_connected = threading.Barrier(PUBLISHERS, action=lambda: begin.append(time.time() + 0.2))

    def publish_share(first: int) -> None:
        with transaction.atomic():
            publish(measured(first, text=PAYLOAD))  # connects, and is not counted
        all_connected.wait()
        for n in range(first, RATE * SECONDS, PUBLISHERS):
            due = begin[0] + n / RATE
            time.sleep(max(0.0, due - time.time()))
            started = time.perf_counter()
            with transaction.atomic():
                publish(measured(n, text=PAYLOAD, sent_at=due))
            costs.append((time.perf_counter() - started) * 1000)
        connection.close()

    threads = [threading.Thread(target=publish_share, args=(first,)) for first in range(PUBLISHERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return costs
