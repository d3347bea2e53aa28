"""Servers for one command: what the tests run against."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from broker.processes import dying_with_parent

from .errors import CannotStart
from .postgres import EmbeddedPostgres
from .privileges import give_passage
from .valkey import EmbeddedValkey


def run_with_temporary_servers(command: list[str]) -> int:
    """Run `command` with servers, a data folder and a secret key that live as long as it does; its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the folder goes too
    with tempfile.TemporaryDirectory(prefix="marquee-") as name:
        folder = Path(name)
        give_passage(folder)
        postgres = EmbeddedPostgres(folder / "postgres", settings={"fsync": "off"})
        try:
            with postgres, EmbeddedValkey(folder / "valkey") as valkey:
                addresses = {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}
                return _run(command, {**addresses, "OTT_DATA_DIR": name, "OTT_SECRET_KEY": secrets.token_urlsafe(48)})
        except CannotStart as error:
            print(error, file=sys.stderr)
            return 1


def _run(command: list[str], settings: dict[str, str]) -> int:
    environment = {**os.environ, **settings}
    return subprocess.run(
        command,
        env=environment,
        check=False,
        preexec_fn=dying_with_parent(),
    ).returncode
