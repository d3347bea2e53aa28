"""The inbox of a viewer who follows fifty topics, among ten thousand viewers and among a million.

Two databases of the benchmark's own take turns. Who is measured differs: in kinds (all to live events alone), in how
long they follow, in what they have read (nothing, half, all, all but a few single ones); one in five is a child.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications import sql
from notifications.commands import post_notification, subscribe
from notifications.models import Kind, Notification, Topic
from notifications.queries import inbox, unread_count

from .broker_database import empty_database, use
from .broker_processes import spare_collections
from .plot import bars
from .population import copies, make_viewers, next_id, settle_tables
from .report import Row, percentile, row_within

VIEWERS = (10_000, 1_000_000)
NOTIFICATIONS = 100_000
MEASURED = 100
ROUNDS = 5
WARM_UP = 20  # viewers
INBOX, COUNT, PAGE = "inbox query", "unread count", "a page, with the count and where to go on from"
PLOT = Path("bench/results/inbox.svg")
INBOX_MS, COUNT_MS, QUERIES, GROWTH = 15.0, 10.0, 3, 2.0
_STATEMENTS = dict(
    re.findall(r"-- name: (\w+)\n(.*?)(?=\n-- name|\Z)", Path(__file__).with_suffix(".sql").read_text(), re.S)
)


def run() -> list[Row]:
    """Measure, on databases of its own."""
    with ExitStack() as databases:
        people = {}
        for viewers in VIEWERS:
            name = databases.enter_context(empty_database())
            started = time.perf_counter()
            people[viewers] = (name, _fill(viewers))
            print(f"{viewers} viewers made in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        spare_collections()
        times: dict[tuple[int, str], list[list[float]]] = {}
        for _ in range(ROUNDS):
            for viewers, (name, measured) in people.items():
                use(name)
                _warm_up(measured)
                of_round: dict[str, list[float]] = {}
                for what, milliseconds in chain.from_iterable(map(_measure, measured)):
                    of_round.setdefault(what, []).append(milliseconds)
                for what, one in of_round.items():
                    times.setdefault((viewers, what), []).append(one)
        PLOT.write_text(_plot(times))
        return [*_rows(times), _queries_row(people[max(VIEWERS)][1])]


def _fill(viewers: int) -> range:
    """Viewers, topics, notifications and what was read; the ids of those who are measured."""
    ids = make_viewers(viewers)
    subscribe(viewer_id=ids[0], topic="category:movies")
    first = _post()
    values = {
        "first": ids[0] + 1,
        "first_measured": ids[-MEASURED],
        "last_measured": ids[-1],
        "first_topic": Topic.objects.get().pk,
        "first_notification": first.pk,
        "last": NOTIFICATIONS - 1,
    }
    for table in ("topic", "notification", "posting"):
        copies(f"notifications_{table}", source=_STATEMENTS[f"{table}s"], values=values)
    _execute("heads", values)
    follows = (
        f"SELECT *, {next_id('notifications_subscription')} AS id FROM ({_STATEMENTS['subscriptions']}) AS followed"
    )
    copies("notifications_subscription", source=follows, values=values)
    for statement in ("kinds", "marks", "items"):
        _execute(statement, values)
    settle_tables()
    return ids[-MEASURED:]


def _post() -> Notification:
    made = post_notification(
        subject="bench:0",
        subject_version=1,
        kind=Kind.PREMIERE,
        topics={"category:movies": "Movies"},
        title="Premiere: The Long Night",
        body="A town waits for the sun. " * 8,
        url="/titles/the-long-night/",
        studio="Aurora Pictures",
        category="Movies",
        published_at=timezone.now(),
    )
    assert made is not None
    return made


def _execute(statement: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENTS[statement], values)


def _warm_up(measured: Sequence[int]) -> None:
    """A connection of the product's lives long; one that was just made plans its first statements every time."""
    for viewer_id in measured[:WARM_UP]:
        inbox(viewer_id=viewer_id)


def _measure(viewer_id: int) -> Iterator[tuple[str, float]]:
    """(what, milliseconds) of a viewer's first two pages, if there are two, and of the count."""
    watch = _Watch(sql.load("inbox"))
    before: int | None = None
    with connection.execute_wrapper(watch):
        for _ in range(2):
            started = time.perf_counter()
            before = inbox(viewer_id=viewer_id, before=before).next_before
            yield PAGE, (time.perf_counter() - started) * 1000
            yield INBOX, watch.last
            if before is None:
                break
    started = time.perf_counter()
    unread_count(viewer_id=viewer_id)
    yield COUNT, (time.perf_counter() - started) * 1000


class _Watch:
    """Looks at how long one statement takes; `last` is in milliseconds."""

    def __init__(self, statement: str) -> None:
        self._statement = statement
        self.last = 0.0

    def __call__(self, execute: Callable[..., Any], statement: str, parameters: Any, many: bool, context: Any) -> Any:
        started = time.perf_counter()
        result = execute(statement, parameters, many, context)
        if statement == self._statement:
            self.last = (time.perf_counter() - started) * 1000
        return result


def _rows(times: dict[tuple[int, str], list[list[float]]]) -> Iterator[Row]:
    for what, at_most in ((INBOX, INBOX_MS), (COUNT, COUNT_MS)):
        for viewers in VIEWERS:
            metric = f"{what}, p99, {viewers:,} viewers"
            value = _median(times[viewers, what], 99)
            yield row_within(scenario="inbox", metric=metric, value=value, unit="ms", at_most=at_most)
        few, many = (_median(times[viewers, what], 50) for viewers in VIEWERS)
        yield Row(
            scenario="inbox",
            metric=f"{what}, p50, {VIEWERS[1]:,} viewers beside {VIEWERS[0]:,}",
            value=round(many, 2),
            unit="ms",
            baseline=round(few, 2),
            ratio=round(many / few, 2),
            goal=f"<= {GROWTH:g} x",
            met=many <= GROWTH * few,
        )
    for percent in (50, 99):
        metric = f"{PAGE}, p{percent}, {VIEWERS[1]:,} viewers"
        yield Row(scenario="inbox", metric=metric, value=round(_median(times[VIEWERS[1], PAGE], percent), 2), unit="ms")


def _plot(times: dict[tuple[int, str], list[list[float]]]) -> str:
    return bars(
        "Microseconds, p99",
        {
            what: {f"{n:,} viewers": 1000 * _median(times[n, what], 99) for n in VIEWERS}
            for what in (INBOX, COUNT, PAGE)
        },
    )


def _median(rounds: Sequence[Sequence[float]], percent: float) -> float:
    """Of all rounds, the median of that percentile."""
    return median(percentile(one, percent) for one in rounds)


def _queries_row(measured: Sequence[int]) -> Row:
    with CaptureQueriesContext(connection) as queries:
        inbox(viewer_id=measured[0])
    return row_within(scenario="inbox", metric="queries of an inbox", value=len(queries), unit="", at_most=QUERIES)
