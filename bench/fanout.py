"""A premiere for a million followers: how soon those who are online see it, and how fast a million deliveries are made.

The platform's own processes work on a database of the benchmark's own. The connected follow both a topic with a million
followers and one with ten thousand. When a first million deliveries have been made, premieres go to both topics in
turns, the whole way from the studio's publish to the last client's socket, while three millions more are being made;
and once more, while Django's `bulk_create` makes as many as it can. The circuit of mail is open: nothing leaves.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from django.db import connection

from accounts.clock import database_now
from broker import queues
from catalog.commands import publish_release
from catalog.models import Category
from notifications.models import Notification
from notifications.outbound.models import Delivery

from .broker_database import current_url, empty_database
from .broker_processes import number, process, wait_until
from .bulk_created import BATCH, rows_per_second, rows_per_second_one_by_one
from .clients import Clients, clients
from .crowd import raise_file_limit
from .followers import FEW_FOLLOW, MANY_FOLLOW, let_no_mail_leave, make_followers
from .own_platform import memory_of_workers, own_platform
from .plot import bars
from .releases import drafts, make_creator
from .report import Row, row_within
from .topic_head import THREADS, postings_per_second

MANY, FEW, CONNECTED = 1_000_000, 10_000, 2_000
WARM_UP, SAMPLES, MOST = 6, 11, 120  # premieres to a topic
START_SECONDS, LOST_AFTER_SECONDS, MADE_SECONDS = 120.0, 30.0, 240.0
LOOK_SECONDS = 0.1  # as every look takes its part of the machine; when what happened is in the rows
BASELINE_RUNS = 5
AHEAD = 3  # premieres for the many whose deliveries are made while others are shown: more than are made meanwhile
SHARDS, ALONE = "create_deliveries", 1_000_000  # the queue; how many are made before the baseline has its turn
AUDIENCES = "measure_audience"  # the queue that has its turn when there are no shards
SEED_SECONDS, LATER_AT_MOST, FASTER_AT_LEAST, BASELINE_FLOOR, GROWTH_MIB = 120.0, 1.5, 5.0, 20_000, 20.0
PLOT = Path("bench/results/fanout.svg")
_IS_MADE = """
    SELECT bool_and(state = 'done'), extract(epoch FROM max(finished_at))
    FROM broker_workitem
    WHERE queue = 'create_deliveries' AND (body #>> '{data,notification_id}')::bigint = %(notification)s
"""
# A shard is a range of viewers, and each of them has one mailbox.
_MADE_SINCE = """
    SELECT
        coalesce(sum((body #>> '{data,last}')::bigint - (body #>> '{data,first}')::bigint), 0),
        extract(epoch FROM max(finished_at) - min(started_at))
    FROM broker_workitem
    WHERE queue = 'create_deliveries' AND state = 'done' AND started_at > %(since)s
"""
_ARE_LEFT = """
    SELECT EXISTS (
        SELECT FROM broker_workitem
        WHERE queue = 'create_deliveries' AND state <> 'done'
          AND (body #>> '{data,notification_id}')::bigint = ANY (%(notifications)s)
    )
"""
_OTHERS_LEFT = "SELECT count(*) FROM broker_workitem WHERE queue <> 'create_deliveries' AND state <> 'done'"
_RUNNING = "SELECT count(*) FROM broker_workitem WHERE queue = 'create_deliveries' AND state = 'running'"


@dataclass(frozen=True)
class Sample:
    """A premiere: seconds from its publish's commit until it stood in its topics, and until all clients had it."""

    notification: int
    committed: float  # on the wall clock
    posted: float
    shown: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to."""

    alone: Sequence[Sample]  # to the topic with few followers, while nothing else happens
    few: Sequence[Sample]  # to it, while deliveries of the others are being made
    many: Sequence[Sample]
    created: float  # deliveries a second while premieres came
    created_alone: float  # the same when no more came
    baseline: float  # rows a second by bulk_create while premieres came
    baseline_alone: float  # the same when no more came, in turns with ours
    complete: float  # seconds from the publish until all were made
    growth: float  # MiB of all workers together


def run(*, commands: Mapping[str, Sequence[str]]) -> list[Row]:
    """Measure; `commands` starts each process of the platform, on `{port}`."""
    raise_file_limit()
    with empty_database():
        begun = time.monotonic()
        tokens = make_followers(many=MANY, few=FEW, connected=CONNECTED)
        seeded = time.monotonic() - begun
        print(f"{MANY:,} followers made in {seeded:.0f} s", file=sys.stderr)
        let_no_mail_leave()
        with (
            own_platform(commands, url=current_url()) as port,
            clients("bench.listening", port, plan={"tokens": tokens}) as crowd,
        ):
            crowd.hear("ready", START_SECONDS)
            outcome = _measure(crowd, lambda: sum(memory_of_workers(port).values()) / 1024)
        one_by_one = rows_per_second_one_by_one()
        postings = median(postings_per_second(f"category:{MANY_FOLLOW}") for _ in range(BASELINE_RUNS))
    rates = {
        "while premieres are shown": {"ours": outcome.created, "bulk_create": outcome.baseline},
        "nothing else going on": {
            "ours": outcome.created_alone,
            "bulk_create": outcome.baseline_alone,
            "create": one_by_one,
        },
    }
    PLOT.write_text(bars("Deliveries made a second", rates))
    metric = f"{MANY:,} followers seeded"
    return [
        row_within(scenario="fanout", metric=metric, value=seeded, unit="s", at_most=SEED_SECONDS),
        *_rows(outcome),
        Row(
            scenario="fanout",
            metric="deliveries made, nothing else going on, beside Django's create, row by row",
            value=round(outcome.created_alone),
            unit="rows/s",
            baseline=round(one_by_one),
            ratio=round(outcome.created_alone / one_by_one, 2),
        ),
        Row(
            scenario="fanout",
            metric=f"notifications posted to one topic, {THREADS} threads at a time",
            value=round(postings),
            unit="/s",
        ),
    ]


# --- On the platform -----------------------------------------------------------------------------------------------
def _measure(crowd: Clients, memory: Callable[[], float]) -> Outcome:
    to_few, to_many = _premieres(crowd, FEW_FOLLOW), _premieres(crowd, MANY_FOLLOW)
    # When all of these have been made, every worker has loaded what it works with.
    first = next(to_many)
    complete = _made(first.notification) - first.committed
    for _ in range(WARM_UP):
        next(to_few)
    before = memory()
    alone = [next(to_few) for _ in range(SAMPLES)]
    held, few, many = [memory()], [], []
    queues.pause(queue=SHARDS, actor="bench")
    ahead = [next(to_many).notification for _ in range(AHEAD)]
    _let_the_rest_end()
    begun = database_now()
    queues.resume(queue=SHARDS, actor="bench")
    wait_until(lambda: bool(number(_RUNNING)))
    for _ in range(SAMPLES):
        many.append(next(to_many))
        few.append(next(to_few))
        held.append(memory())
    if not _are_left(ahead):
        raise RuntimeError("The deliveries had been made before the last premiere: nothing was measured.")
    made, seconds = _made_since(begun)
    _let_the_rest_end()
    baseline = _bulk_create_beside(to_few, to_many)
    _let_the_rest_end()
    pairs = [(_rate_alone(), rows_per_second()) for _ in range(BASELINE_RUNS)]
    held.append(memory())
    return Outcome(
        alone=alone,
        few=few,
        many=many,
        created=made / seconds,
        created_alone=median(ours for ours, _ in pairs),
        baseline=baseline,
        baseline_alone=median(theirs for _, theirs in pairs),
        complete=complete,
        growth=max(held) - before,
    )


def _premieres(crowd: Clients, category: Category) -> Iterator[Sample]:
    """Publish one release after the other, each when all have been shown the one before."""
    creator, pause = make_creator(), random.Random(1)
    for release_id in drafts(creator=creator, count=MOST, category=category):
        time.sleep(pause.uniform(0.1, 0.2))  # so that no poll falls into step with us
        publish_release(actor=creator, release_id=release_id)
        committed = time.time()
        shown = crowd.hear("shown", LOST_AFTER_SECONDS).split()
        notification = Notification.objects.get(subject=f"release:{release_id}")
        if notification.pk != int(shown[0]):
            raise RuntimeError(f"The clients were shown {shown[0]} instead of {notification.pk}.")
        posted = max(posting.posted_at.timestamp() for posting in notification.postings.all())
        yield Sample(notification.pk, committed, posted - committed, float(shown[1]) - committed)
    raise RuntimeError(f"{MOST} premieres were not enough.")


def _made(notification_id: int) -> float:
    """Wait until all deliveries of a premiere are there; when that was."""
    row: list[Any] = []

    def is_done() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(_IS_MADE, {"notification": notification_id})
            row[:] = cursor.fetchone()
        return bool(row[0])

    wait_until(is_done, give_up=MADE_SECONDS, every=LOOK_SECONDS)
    made = Delivery.objects.filter(notification_id=notification_id).count()
    if made != MANY:
        raise RuntimeError(f"{made} deliveries were made instead of {MANY}.")
    return float(row[1])


def _are_left(notifications: Sequence[int]) -> bool:
    """Whether any of these premieres' deliveries are still to be made."""
    with connection.cursor() as cursor:
        cursor.execute(_ARE_LEFT, {"notifications": list(notifications)})
        return bool(cursor.fetchone()[0])


def _made_since(moment: datetime) -> tuple[int, float]:
    """How many deliveries the shards made that were begun after a moment, and the seconds from first to last."""
    with connection.cursor() as cursor:
        cursor.execute(_MADE_SINCE, {"since": moment})
        made, seconds = cursor.fetchone()
    return int(made), float(seconds or 0)


def _let_the_rest_end() -> None:
    """Wait until nothing is left of the premieres but shards, the making of which is paused from here on."""
    queues.pause(queue=SHARDS, actor="bench")
    wait_until(lambda: not number(_OTHERS_LEFT), give_up=MADE_SECONDS)


def _bulk_create_beside(to_few: Iterator[Sample], to_many: Iterator[Sample]) -> float:
    """Rows a second by `bulk_create` while premieres come as they did beside ours: no audience is counted meanwhile."""
    queues.pause(queue=AUDIENCES, actor="bench")
    command = ("-m", "bench.bulk_created_beside", str(BASELINE_RUNS))
    with process(*command, url=current_url(), output=subprocess.PIPE) as child:
        while child.poll() is None:
            next(to_many)
            next(to_few)
        rates = [float(line) for line in child.communicate()[0].splitlines()]
    if child.returncode or len(rates) != BASELINE_RUNS:
        raise RuntimeError(f"bulk_create ended with {child.returncode} after {len(rates)} runs.")
    queues.resume(queue=AUDIENCES, actor="bench")
    return median(rates)


def _rate_alone() -> float:
    """Deliveries a second of the next `ALONE`, while nothing else happens; then the making of the rest is paused."""
    since = database_now()
    queues.resume(queue=SHARDS, actor="bench")
    wait_until(lambda: _made_since(since)[0] >= ALONE, give_up=MADE_SECONDS, every=LOOK_SECONDS)
    queues.pause(queue=SHARDS, actor="bench")
    wait_until(lambda: not number(_RUNNING), give_up=MADE_SECONDS)
    made, seconds = _made_since(since)
    return made / seconds


# --- Rows ----------------------------------------------------------------------------------------------------------
def _rows(outcome: Outcome) -> list[Row]:
    alone, few, many = (_shown(one) for one in (outcome.alone, outcome.few, outcome.many))
    told = {
        f"… of them publish → posted, p50, {MANY:,} followers": (_posted(outcome.many), "ms"),
        f"… of them publish → posted, p50, {FEW:,} followers": (_posted(outcome.few), "ms"),
        f"publish → posted → pushed, p50, {FEW:,} followers, nothing else going on": (alone, "ms"),
        f"publish → all of {MANY:,} deliveries made, nothing else going on": (outcome.complete, "s"),
    }
    return [
        Row(
            scenario="fanout",
            metric=f"publish → posted → pushed to {CONNECTED:,}, p50, {MANY:,} followers beside {FEW:,}",
            value=round(many, 1),
            unit="ms",
            baseline=round(few, 1),
            ratio=round(many / few, 2),
            goal=f"<= {LATER_AT_MOST:g} x",
            met=many <= LATER_AT_MOST * few,
        ),
        *(
            Row(scenario="fanout", metric=metric, value=round(value, 1), unit=unit)
            for metric, (value, unit) in told.items()
        ),
        _times_as_fast(
            f"deliveries made meanwhile by two workers, beside bulk_create in batches of {BATCH:,} meanwhile",
            outcome.created,
            outcome.baseline,
        ),
        _times_as_fast(
            f"deliveries made by two workers, {ALONE:,} at a time, in turns with bulk_create, nothing else going on",
            outcome.created_alone,
            outcome.baseline_alone,
        ),
        row_within(
            scenario="fanout",
            metric="growth of all workers' resident memory",
            value=outcome.growth,
            unit="MiB",
            at_most=GROWTH_MIB,
        ),
    ]


def _times_as_fast(metric: str, ours: float, baseline: float) -> Row:
    return Row(
        scenario="fanout",
        metric=metric,
        value=round(ours),
        unit="rows/s",
        baseline=round(baseline),
        ratio=round(ours / baseline, 2),
        goal=f">= {FASTER_AT_LEAST:g} x the baseline, or x {BASELINE_FLOOR:,} where that is slower",
        met=ours >= FASTER_AT_LEAST * max(baseline, BASELINE_FLOOR),
    )


def _shown(samples: Sequence[Sample]) -> float:
    return median(sample.shown for sample in samples) * 1000


def _posted(samples: Sequence[Sample]) -> float:
    return median(sample.posted for sample in samples) * 1000
