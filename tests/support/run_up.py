"""Runs what `make up` runs, and looks at it from outside."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ott.embedded.processes import PROJECT, UP


class Run:
    """One run of the supervisor on `folder` and `port`; its output goes to a file."""

    def __init__(self, folder: Path, *, port: int, log: Path, **environment: str) -> None:
        inherited = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL", "OTT_SECRET_KEY"}}
        settings = {"OTT_DATA_DIR": str(folder), "OTT_PORT": str(port), **environment}
        self.folder, self._log, self._begins = folder, log, log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                UP,
                cwd=PROJECT,
                env={**inherited, **settings},
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )

    @property
    def output(self) -> str:
        """What this run has printed."""
        return self._log.read_bytes()[self._begins :].decode(errors="replace")

    def wait_for(self, words: str, seconds: float) -> float:
        """Wait until `words` were printed; how long that took."""
        started = time.monotonic()
        while words not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() - started < seconds, self.output
            time.sleep(0.05)
        return time.monotonic() - started

    def end(self, number: signal.Signals = signal.SIGINT, seconds: float = 10) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def processes(self) -> list[int]:
        """Every living process of this data folder, the supervisor included."""
        mark = f"OTT_DATA_DIR={self.folder}\0".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):  # it ended meanwhile, or is somebody else's; a zombie's is empty
                if mark in entry.read_bytes() + b"\0":
                    found.append(int(entry.parent.name))
        return found

    def gone_within(self, seconds: float) -> bool:
        """Whether nothing of this folder lives after at most `seconds`."""
        deadline = time.monotonic() + seconds
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.processes()


@contextmanager
def running(folder: Path, *, port: int, log: Path, **environment: str) -> Iterator[Run]:
    """A `Run` that does not outlive the block."""
    run = Run(folder, port=port, log=log, **environment)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait()
        assert run.gone_within(10), run.processes()
