"""Servers for as long as one command runs: what the tests stand on."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from broker.processes import dying_with_parent

from .errors import CannotStart
from .postgres import EmbeddedPostgres
from .privileges import give_passage
from .valkey import EmbeddedValkey


def run_with_servers(command: list[str]) -> int:
    """Run `command` with servers, a data folder and a secret key of its own; its exit code."""
    with temporary_servers() as settings:
        environment = {**os.environ, **settings}
        return subprocess.run(command, env=environment, check=False, preexec_fn=dying_with_parent()).returncode


@contextmanager
def temporary_servers() -> Iterator[Mapping[str, str]]:
    """Servers, a data folder and a secret key, gone afterwards; yields the settings that name them.

    Enter it from the main thread: the servers die with the thread that started them.
    """
    with _folder() as folder:
        postgres = EmbeddedPostgres(folder / "postgres", settings={"fsync": "off"})
        with postgres, EmbeddedValkey(folder / "valkey") as valkey:
            yield {
                "DATABASE_URL": postgres.url,
                "REDIS_URL": valkey.url,
                "OTT_DATA_DIR": str(folder),
                "OTT_SECRET_KEY": secrets.token_urlsafe(48),
            }


@contextmanager
def _folder() -> Iterator[Path]:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the folder goes too
    with tempfile.TemporaryDirectory(prefix="marquee-") as name:
        give_passage(Path(name))
        try:
            yield Path(name)
        except CannotStart as error:
            sys.exit(str(error))
