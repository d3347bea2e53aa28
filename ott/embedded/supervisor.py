"""Keeps the platform running: starts again what died."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from .child import Child
from .console import Console
from .platform import Platform
from .readiness import unready
from .server import Sleep

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
STEADY_SECONDS = 30.0  # who ran that long has recovered
LOOP_AFTER = 4  # crashes in a row
READY_SECONDS = 60.0
POLL_SECONDS = 0.1


@dataclass
class Watched:
    """One child with its history of crashes."""

    child: Child
    spawn: Callable[[], None]
    crashes: int = 0
    started_at: float = field(default_factory=time.monotonic)
    again_at: float | None = None

    def look(self, now: float) -> str:
        """Start the child again if it ended; what there is to say about it, or nothing."""
        if self.child.is_running:
            return ""
        if self.again_at is None:
            return self._ended(now)
        if now >= self.again_at:
            self.again_at, self.started_at = None, now
            self.spawn()
        return ""

    def _ended(self, now: float) -> str:
        self.crashes = 1 if now - self.started_at > STEADY_SECONDS else self.crashes + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self.crashes - 1))
        self.again_at = now + pause
        words = f"{self.child.name} ended ({self._how()}); starting it again in {pause:g} s."
        if self.crashes >= LOOP_AFTER:
            words += f" It has ended {self.crashes} times in a row: its own lines above say why."
        return words

    def _how(self) -> str:
        code = self.child.process.returncode if self.child.process else 0
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


class Supervisor:
    """Watches the platform's servers and processes. Waiting ends when the `sleep` that it is given raises."""

    def __init__(self, platform: Platform, console: Console) -> None:
        self._platform = platform
        self._console = console
        self._watched = [
            *(Watched(server, server.spawn) for server in platform.servers),
            *(Watched(process, partial(platform.spawn, process)) for process in platform.processes),
        ]

    def wait_until_ready(self, sleep: Sleep) -> None:
        """Return when /readyz is green; say every minute what is missing."""
        remind_at = time.monotonic() + READY_SECONDS
        while missing := unready(self._platform.port):
            self._step(sleep)
            if time.monotonic() > remind_at:
                self._console.say(f"Not ready yet. {'; '.join(missing)}")
                remind_at += READY_SECONDS

    def watch(self, sleep: Sleep) -> None:
        """Keep everything running."""
        while True:
            self._step(sleep)

    def _step(self, sleep: Sleep) -> None:
        sleep(POLL_SECONDS)
        for watched in self._watched:
            if words := watched.look(time.monotonic()):
                self._console.say(words)
