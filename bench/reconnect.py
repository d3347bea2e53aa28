"""A gateway is killed with thousands of clients, who all come back to another one while notifications arrive.

The other one is the platform's web process: it lets the crowd in, reads for it, pushes to it, and is asked for pages at
the same time. Clients are in a process of their own and come back as a browser does; notifications take the whole road,
from the outbox to the socket.
"""

import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

from django.conf import settings
from django.test import Client as Browser

from accounts.commands import create_viewer
from broker.processes import dying_with_parent

from .broker_database import current_url
from .clients import clients
from .crowd import raise_file_limit
from .live_audience import ALL
from .live_contenders import HOST, free_port
from .own_platform import own_platform
from .people import make_listeners
from .plot import bars
from .population import settle_tables
from .postings import post_premiere
from .report import Row, percentile, row_within

CLIENTS = 5000
NOTIFICATIONS = 100
NOTIFICATIONS_PER_SECOND = 7
RUNS = 3
PAGES = ("/", "/notifications/")
PAGES_PER_SECOND = 5
BACK_GOAL_SECONDS = 15.0
PAGE_GOAL_SECONDS = 1.0
START_SECONDS = 120.0
END_SECONDS = 90.0
PLOT = Path("bench/results/reconnect.svg")
QUIET_SECONDS = 3.0  # after everybody has everything: what comes now would be a repeat


@dataclass(frozen=True)
class Outcome:
    """What a run came to. Times in seconds since the kill."""

    back: float
    complete: float
    pages: Sequence[float]  # how long each took
    incomplete: int  # clients
    repeated: int  # frames
    resets: int
    refusals: int


def run(*, commands: Mapping[str, Sequence[str]]) -> list[Row]:
    """Measure; `commands` starts each process of the platform, on `{port}`, and another web process to be killed."""
    raise_file_limit()
    tokens = make_listeners(CLIENTS)
    settle_tables()
    cookie = _signed_in()
    with own_platform(commands, url=current_url()) as port:
        outcomes = [_measure(port, commands["web"], tokens, cookie) for _ in range(RUNS)]
    PLOT.write_text(_plot(outcomes))
    return _rows(outcomes)


def _plot(outcomes: Sequence[Outcome]) -> str:
    return bars(
        f"Milliseconds after a kill under {CLIENTS:,} clients",
        {
            f"kill {number}": {"all are back": 1000 * one.back, "pages, p99": 1000 * percentile(one.pages, 99)}
            for number, one in enumerate(outcomes, 1)
        },
    )


def _rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """The worst of the runs, not their median: a promise holds each time."""
    pages = [seconds for outcome in outcomes for seconds in outcome.pages]
    slowest = max(percentile(outcome.pages, 99) for outcome in outcomes)
    limits: list[tuple[str, float, str, float]] = [
        ("clients without all notifications", max(o.incomplete for o in outcomes), "clients", 0),
        ("notifications shown twice", max(o.repeated for o in outcomes), "frames", 0),
        ("kill → all are back", max(o.back for o in outcomes), "s", BACK_GOAL_SECONDS),
        ("pages meanwhile, p99", slowest, "s", PAGE_GOAL_SECONDS),
    ]
    told: list[tuple[str, float, str]] = [
        ("kill → all have everything", max(o.complete for o in outcomes), "s"),
        ("pages meanwhile, p50", percentile(pages, 50), "s"),
        ("pages asked", len(pages), ""),
        ("clients told to load their list again", max(o.resets for o in outcomes), ""),
        ("attempts that were refused", max(o.refusals for o in outcomes), ""),
    ]
    return [
        *(
            row_within(scenario="reconnect", metric=metric, value=value, unit=unit, at_most=at_most)
            for metric, value, unit, at_most in limits
        ),
        *(Row(scenario="reconnect", metric=metric, value=round(value, 2), unit=unit) for metric, value, unit in told),
    ]


def _measure(port: int, web_command: Sequence[str], tokens: Sequence[str], cookie: str) -> Outcome:
    doomed_port = free_port()
    plan = {"tokens": list(tokens), "expected": NOTIFICATIONS}
    with (
        _web_process(web_command, doomed_port) as doomed,
        clients("bench.returning", doomed_port, port, plan=plan) as crowd,
    ):
        crowd.hear("ready", START_SECONDS)
        poster = Thread(target=_post_all)
        with _asking_for_pages(f"http://{HOST}:{port}", cookie) as pages:
            poster.start()
            doomed.kill()
            killed = time.monotonic()
            ends = crowd.hear_all({"back", "complete"}, END_SECONDS)
        poster.join()
        time.sleep(QUIET_SECONDS)
        report = crowd.report()
    return Outcome(
        back=ends.get("back", float("inf")) - killed,
        complete=ends.get("complete", float("inf")) - killed,
        pages=[page.result() for page in pages],
        **{name: report[name] for name in ("incomplete", "repeated", "resets", "refusals")},
    )


# --- The processes -------------------------------------------------------------------------------------------------
@contextmanager
def _web_process(command: Sequence[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [part.format(port=port) for part in command],
        preexec_fn=dying_with_parent(),  # noqa: PLW1509 - the child only calls prctl
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(f"http://{HOST}:{port}/healthz"):
            if time.monotonic() > deadline:
                raise RuntimeError("The web process that is to be killed did not start.")
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except OSError:
        return False
    return True


# --- What goes on meanwhile ----------------------------------------------------------------------------------------
def _post_all() -> None:
    """Post to everybody, at a steady rate."""
    mark, begun = uuid4().hex[:8], time.monotonic()
    for number in range(NOTIFICATIONS):
        time.sleep(max(0.0, begun + number / NOTIFICATIONS_PER_SECOND - time.monotonic()))
        post_premiere(ALL, f"bench:{mark}-{number}")


@contextmanager
def _asking_for_pages(base_url: str, cookie: str) -> Iterator[list["Future[float]"]]:
    """Ask at a steady rate until the block ends, whether or not the answers come; the seconds that each took."""
    asked: list[Future[float]] = []
    over = Event()

    def ask() -> None:
        begun = time.monotonic()
        while not over.wait(max(0.0, begun + len(asked) / PAGES_PER_SECOND - time.monotonic())):
            asked.append(threads.submit(_fetch, base_url + PAGES[len(asked) % len(PAGES)], cookie))

    with ThreadPoolExecutor(int(END_SECONDS * PAGES_PER_SECOND)) as threads:
        asker = Thread(target=ask)
        asker.start()
        try:
            yield asked
        finally:
            over.set()
            asker.join()


def _fetch(url: str, cookie: str) -> float:
    started = time.monotonic()
    request = urllib.request.Request(url, headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"})
    with urllib.request.urlopen(request, timeout=END_SECONDS) as answer:
        if answer.url != url:
            raise RuntimeError(f"{url} answered with {answer.url}.")
        answer.read()
    return time.monotonic() - started


def _signed_in() -> str:
    """A session of a viewer of its own."""
    browser = Browser()
    browser.force_login(create_viewer(email=f"reader-{uuid4().hex[:8]}@bench.example", password=uuid4().hex))
    return browser.cookies[settings.SESSION_COOKIE_NAME].value
