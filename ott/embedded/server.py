"""What the embedded servers share: start, wait until ready, stop; and never outlive us."""

import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Self

from .ports import free_port
from .privileges import server_command

START_SECONDS = 60
STOP_SECONDS = 10


class ServerDidNotStart(Exception):
    """An embedded server could not be started; the message says why and what to do."""


class EmbeddedServer(ABC):
    """One server process with its data in `folder`; a context manager that runs it."""

    name: str
    stop_signal: Signals

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make what the server needs on disk."""

    @abstractmethod
    def command(self) -> list[str]:
        """The server's command line."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the server answers."""

    def after_start(self) -> None:
        """What is to be done once the server answers."""

    @property
    def log_file(self) -> Path:
        """Where the server's own output goes."""
        return self.folder / "server.log"

    def start(self, port: int | None = None) -> None:
        """Start the server, on `port` or else a free one, and wait until it answers.

        Call it from the main thread: the server dies with the thread that started it. Raises `ServerDidNotStart`.
        """
        self.prepare()
        self.port = port or self.port or free_port()
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                server_command(self.command(), self.stop_signal),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C is ours to handle: servers stop last
            )
        self._wait_until_ready(self.process)
        self.after_start()

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                tail = self.log_file.read_text(errors="replace").strip().splitlines()[-5:]
                raise ServerDidNotStart(f"{self.name} did not start. Its log {self.log_file} ends:\n" + "\n".join(tail))
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server cleanly; kill it if it does not obey."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """`kill -9`, as a fault test wants it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
