"""A process that we start, watch, stop or kill, and that never outlives us."""

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from signal import Signals

from broker.processes import dying_with_parent

STOP_SECONDS = 6


class Child(ABC):
    """One process; `name` is what it is called in logs."""

    name: str
    stop_signal = Signals.SIGTERM
    death_signal = Signals.SIGKILL  # what it gets from the kernel when we die
    process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The command line."""

    def _launch(self, output: int, *, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        # Call it from the main thread: a child dies with the *thread* that started it.
        self.process = subprocess.Popen(
            self.command(),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # the terminal's Ctrl-C is ours to handle: servers stop last
            preexec_fn=dying_with_parent(self.death_signal),  # noqa: PLW1509 - it takes no lock
        )

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        """Send it its stop signal, and do not wait."""
        if self.process is not None and self.is_running:
            self.process.send_signal(self.stop_signal)

    def stop(self) -> None:
        """Stop it cleanly; kill it if it does not obey in six seconds."""
        self.ask_to_stop()
        if self.process is None:
            return
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """`kill -9`; its own children die with it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
