"""How long `make up` takes until /readyz is green: in an empty data folder, and again with what is there then."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from .live_contenders import HOST, free_port
from .report import Row, row_within

FIRST_GOAL, SECOND_GOAL = 180.0, 15.0  # seconds; the first also has to install, which is not measured here
SECOND_STARTS = 3
LONGEST = 300.0
POLL_SECONDS = 0.05
INHERITED = ("PATH", "HOME", "LANG")


def run(*, command: Sequence[str]) -> list[Row]:
    """Measure `command`, which must run the platform in the foreground, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="bench-start-"))
    folder.chmod(0o711)  # the servers' user passes through it
    try:
        first = _start(command, folder / "data")
        seconds = [_start(command, folder / "data") for _ in range(SECOND_STARTS)]
    finally:
        shutil.rmtree(folder)
    return [
        row_within(scenario="start", metric="first, with the demo", value=first, unit="s", at_most=FIRST_GOAL),
        row_within(scenario="start", metric="second", value=median(seconds), unit="s", at_most=SECOND_GOAL),
    ]


def _start(command: Sequence[str], folder: Path) -> float:
    """Seconds until it is ready; it is stopped then. Raises `TimeoutError`."""
    port = free_port()
    settings = {"OTT_DATA_DIR": str(folder), "OTT_PORT": str(port)}
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ} | settings
    started = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            while not _is_ready(port):
                if process.poll() is not None or time.monotonic() - started > LONGEST:
                    raise TimeoutError(f"{' '.join(command)} was not ready after {LONGEST:g} s, or ended before.")
                time.sleep(POLL_SECONDS)
            return time.monotonic() - started
        finally:
            process.send_signal(signal.SIGINT)


def _is_ready(port: int) -> bool:
    with suppress(OSError, HTTPException), urlopen(f"http://{HOST}:{port}/readyz", timeout=5) as answer:
        return bool(answer.status == HTTPStatus.OK)
    return False
