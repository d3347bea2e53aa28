"""What a test does to the processes that it starts: kill one at a named point, or let a log behave as a foreign one.

An application of `broker_settings`, told by environment variables; nothing of it is in the product.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import AppConfig

DIE_AT = "BROKER_TEST_DIE_AT"  # "append:before:3 mark:after:1": whichever it comes to first
LEASE_SECONDS = "BROKER_TEST_LEASE_SECONDS"
MARKS = "BROKER_TEST_MARKS"  # a folder, as in broker_app
CLOCK_BACK = "BROKER_TEST_CLOCK_BACK"  # seconds by which this machine's clock is set back while the process runs
THREE_COMMITS = "BROKER_TEST_THREE_COMMITS"


class ProcessFaults(AppConfig):
    """Installs what the environment asks for."""

    name = "tests.support.process_faults"
    label = "process_faults"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        import ott.celery  # noqa: F401, PLC0415 - the app that wakes workers; of the whole platform `ott.apps` does this

        if os.environ.get(THREE_COMMITS):
            from broker.streams.postgres import PostgresStreams  # noqa: PLC0415 (the applications are ready only now)

            PostgresStreams.joins_transaction = False
        if seconds := os.environ.get(CLOCK_BACK):
            _set_clock_back(float(seconds), after=1.0)
        for wish in os.environ.get(DIE_AT, "").split():
            point, when, count = wish.split(":")
            die_at(point, is_before=when == "before", count=int(count))


def die_at(point: str, *, is_before: bool, count: int) -> None:
    """Let this process die at the `count`th call of the function that the point names, before or after it."""
    owner, name = _points()[point]
    mark = Path(os.environ[MARKS]) / f"died-at-{point}:{'before' if is_before else 'after'}"
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def deadly(*args: Any, **values: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and is_before:
            _die(mark)
        result = original(*args, **values)
        if calls == count and not is_before:
            _die(mark)
        return result

    setattr(owner, name, deadly)


def _set_clock_back(seconds: float, *, after: float) -> None:
    clocks = {name: getattr(time, name) for name in ("time", "time_ns")}
    begin = time.monotonic()
    time.time = lambda: clocks["time"]() - (seconds if time.monotonic() - begin > after else 0)
    time.time_ns = lambda: clocks["time_ns"]() - (int(seconds * 1e9) if time.monotonic() - begin > after else 0)


def _points() -> dict[str, tuple[Any, str]]:
    """The arrows of a message's way, by the function that does what is said."""
    from broker import dead_letters, outbox, relay  # noqa: PLC0415
    from broker.progress import Progress  # noqa: PLC0415
    from broker.streams import engine  # noqa: PLC0415
    from tests.support import broker_app  # noqa: PLC0415

    return {
        "insert": (outbox, "_insert"),
        "position": (relay, "_give_positions"),
        "append": (type(engine()), "take" if engine().joins_transaction else "append"),
        "mark": (relay, "_mark"),
        "handler": (broker_app, "_behave"),
        "watermark": (Progress, "commit"),
        "dead-letter": (dead_letters, "record"),
    }


def _die(mark: Path) -> None:
    """As `kill -9` would have it; the mark says that it was here."""
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
