"""What the embedded servers share: start, wait until ready, stop; and one at a time in a folder."""

import os
import signal
import sys
import time
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from .child import Child
from .errors import CannotStart
from .ports import free_port

START_SECONDS = 60
LEFTOVER_SECONDS = 10
POLL_SECONDS = 0.02

Sleep = Callable[[float], None]


class ServerDidNotStart(CannotStart):
    """An embedded server could not be started; the message says why and what to do."""


class EmbeddedServer(Child):
    """One server process with its data in `folder`; a context manager that runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.port = 0

    @property
    @abstractmethod
    def working_folder(self) -> Path:
        """Where the server's processes live: whoever is there belongs to this server."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what the server needs on disk."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the server answers."""

    def after_start(self) -> None:
        """What is to be done once the server answers."""

    @property
    def log_file(self) -> Path:
        """Where the server's own output goes."""
        return self.folder / "server.log"

    def spawn(self) -> None:
        """Start the process, on the port it had before or else a free one; it may not answer yet."""
        self.prepare()
        self.remove_leftovers()
        self.port = self.port or free_port()
        with self.log_file.open("ab") as log:
            self._launch(log.fileno(), folder=Path("/"))

    def remove_leftovers(self) -> None:
        """End what a killed run left, and wait until it is gone.

        A server whose parent was killed shuts down by itself, but that takes a moment in which a second one on the
        same data would ruin it. The caller holds the data folder's lock, so nobody's work is ended here.
        """
        deadline = time.monotonic() + LEFTOVER_SECONDS
        while pids := _processes_in(self.working_folder):
            late = time.monotonic() > deadline
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else self.stop_signal)
            time.sleep(0.2)

    def wait_until_ready(self, sleep: Sleep = time.sleep) -> None:
        """Wait until the server answers. Raises `ServerDidNotStart` with the end of its log."""
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if not self.is_running or time.monotonic() > deadline:
                self.kill()
                tail = self.log_file.read_text(errors="replace").strip().splitlines()[-5:]
                raise ServerDidNotStart(f"{self.name} did not start. Its log {self.log_file} ends:\n" + "\n".join(tail))
            sleep(POLL_SECONDS)
        self.after_start()

    def start(self) -> None:
        """Start the server and wait until it answers. Raises `ServerDidNotStart`."""
        self.spawn()
        self.wait_until_ready()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _processes_in(folder: Path) -> list[int]:
    """The processes that have `folder` as their working folder; on Linux alone."""
    if sys.platform != "linux":
        return []
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return found
