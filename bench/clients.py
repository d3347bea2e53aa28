"""A process of clients, spoken to by its pipes, a line at a time."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread
from typing import Any

from broker.processes import dying_with_parent

REPORT_SECONDS = 120.0


class Clients:
    """What they say, and asking them for more."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: Queue[str] = Queue()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())

    def hear(self, word: str, seconds: float) -> str:
        """The rest of the next line, which must begin with `word`. Raises `queue.Empty` when there is none."""
        said = self._lines.get(timeout=seconds)
        if not said.startswith(word):
            raise RuntimeError(f"The clients said {said[:200]!r} instead of {word!r}.")
        return said.removeprefix(word).strip()

    def hear_all(self, words: set[str], seconds: float) -> dict[str, float]:
        """The times that they tell with these words, in whatever order; without those that do not come in time."""
        heard: dict[str, float] = {}
        deadline = time.monotonic() + seconds
        while heard.keys() != words:
            try:
                word, _, moment = self._lines.get(timeout=max(0.0, deadline - time.monotonic())).partition(" ")
            except Empty:
                break
            heard[word] = float(moment)
        return heard

    def report(self) -> dict[str, Any]:
        """What came of it."""
        assert self._process.stdin is not None
        self._process.stdin.write("report\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self.hear("", REPORT_SECONDS))
        return told

    def end(self) -> None:
        """Kill them."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._process.stdin.close()
        self._process.stdout.close()


@contextmanager
def clients(module: str, *arguments: int, plan: Mapping[str, Any]) -> Iterator[Clients]:
    """Run a module of clients with these arguments, and then a file that holds the plan; killed at the end."""
    with tempfile.NamedTemporaryFile("w", prefix="marquee-bench-", suffix=".json") as file:
        json.dump(plan, file)
        file.flush()
        process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments), file.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=dying_with_parent(),  # noqa: PLW1509 - the child only calls prctl
        )
        running = Clients(process)
        try:
            yield running
        finally:
            running.end()
