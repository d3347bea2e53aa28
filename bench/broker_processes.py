"""The processes that are measured, and waiting for what they do."""

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import environ

from django.db import connection

from broker.processes import dying_with_parent

from .broker_app import PARTITIONS

POLL_SECONDS = 0.01
GIVE_UP_SECONDS = 120.0


@contextmanager
def broker_process(url: str, **more: str) -> Iterator[None]:
    """A broker on the database at `url` that owns every partition."""
    settings = {"DJANGO_SETTINGS_MODULE": "ott.bench_settings", "OTT_LOG_LEVEL": "WARNING"}
    with process("manage.py", "run_broker", url=url, more={**settings, **more}) as child:

        def is_at_work() -> bool:
            if child.poll() is not None:
                raise ChildProcessError("The broker has ended; it said why")
            return number("SELECT count(*) FROM broker_grouppartition WHERE owner <> ''") == PARTITIONS

        wait_until(is_at_work)
        yield


@contextmanager
def process(
    *command: str, url: str, more: Mapping[str, str] | None = None, output: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program with the database at `url`, and `more`, in its environment; killed at the end.

    `output` is where it prints to, as `subprocess` has it.
    """
    child = subprocess.Popen(
        [sys.executable, *command],
        env={**environ, "DATABASE_URL": url, **(more or {})},
        stdout=output,
        preexec_fn=dying_with_parent(),  # noqa: PLW1509 - it takes no lock
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def wait_until(is_so: Callable[[], bool], *, give_up: float = GIVE_UP_SECONDS, every: float = POLL_SECONDS) -> None:
    """Look each so many seconds. Raises `TimeoutError` after `give_up` seconds."""
    deadline = time.monotonic() + give_up
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("The broker is stuck, or far too slow")
        time.sleep(every)


def number(query: str) -> int:
    """What a query of one number says."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


def spare_collections() -> None:
    """As the broker's process does: or the collector would look at the whole benchmark again and again."""
    gc.collect()
    gc.freeze()
