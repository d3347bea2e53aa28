"""What a test does to the processes that it starts: kill one at a named point, or let a log behave as a foreign one.

An application of `broker_settings`, told by environment variables; nothing of it is in the product.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import AppConfig

DIE_AT = "BROKER_TEST_DIE_AT"  # "append:before:3": the third time that somebody comes to it
THREE_COMMITS = "BROKER_TEST_THREE_COMMITS"


class ProcessFaults(AppConfig):
    """Installs what the environment asks for."""

    name = "tests.support.process_faults"
    label = "process_faults"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        if os.environ.get(THREE_COMMITS):
            from broker.streams.postgres import PostgresStreams  # noqa: PLC0415 (the applications are ready only now)

            PostgresStreams.joins_transaction = False
        if wish := os.environ.get(DIE_AT):
            point, when, count = wish.split(":")
            die_at(point, is_before=when == "before", count=int(count))


def die_at(point: str, *, is_before: bool, count: int) -> None:
    """Let this process die at the `count`th call of the function that the point names."""
    owner, name = points()[point]
    original = getattr(owner, name)
    setattr(owner, name, _deadly(original, is_before=is_before, count=count))


def points() -> dict[str, tuple[Any, str]]:
    """The arrows of a message's way, by the function that does what is said."""
    from broker import dead_letters, outbox, relay  # noqa: PLC0415
    from broker.progress import Progress  # noqa: PLC0415
    from broker.streams import engine  # noqa: PLC0415
    from tests.support import broker_app  # noqa: PLC0415

    return {
        "insert": (outbox, "_insert"),
        "position": (relay, "_give_positions"),
        "append": (type(engine()), "append"),
        "mark": (relay, "_mark"),
        "handler": (broker_app, "_behave"),
        "watermark": (Progress, "commit"),
        "dead-letter": (dead_letters, "record"),
    }


def _deadly(original: Callable[..., Any], *, is_before: bool, count: int) -> Callable[..., Any]:
    calls = 0

    def called(*args: Any, **values: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and is_before:
            die()
        result = original(*args, **values)
        if calls == count:
            die()
        return result

    return called


def die() -> None:
    """As `kill -9` would have it."""
    os.kill(os.getpid(), signal.SIGKILL)
