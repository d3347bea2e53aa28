"""The supervisor's terminal: every line with the name of the process that wrote it, in its colour."""

import os
import selectors
import sys
import time
from contextlib import suppress

NAME_WIDTH = 15
_OURS = "marquee"
_COLOURS = {
    "web": 36,
    "broker": 35,
    "worker": 32,
    "worker-bulk": 37,
    "worker-media": 33,
    "worker-outbound": 94,
    "beat": 34,
    "prepare": 90,
    _OURS: 91,
}


class Console:
    """Prints what the processes write, as it comes. One thread: children die with the thread that started them."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._unfinished: dict[int, bytes] = {}
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def open_for(self, name: str) -> int:
        """The writing end of a pipe whose lines will be printed under `name`."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self._unfinished[reader] = b""
        self._selector.register(reader, selectors.EVENT_READ, name)
        return writer

    def pump(self, seconds: float) -> None:
        """Print what arrives within `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            if not self._selector.get_map():
                time.sleep(left)
            for key, _ in self._selector.select(left):
                self._read(key.fd, key.data)
            if time.monotonic() >= deadline:
                return

    def say(self, text: str) -> None:
        """Print the supervisor's own words."""
        for line in text.splitlines() or [""]:
            self._print(_OURS, line)

    def _read(self, reader: int, name: str) -> None:
        with suppress(BlockingIOError):
            chunk = os.read(reader, 65536)
            *lines, self._unfinished[reader] = (self._unfinished[reader] + chunk).split(b"\n")
            if not chunk:
                lines = [self._unfinished.pop(reader)] if self._unfinished[reader] else []
                self._selector.unregister(reader)
                os.close(reader)
            for line in lines:
                self._print(name, line.decode(errors="replace"))

    def _print(self, name: str, line: str) -> None:
        prefix = f"{name:<{NAME_WIDTH}} |"
        if self._coloured:
            prefix = f"\x1b[{_COLOURS.get(name, 37)}m{prefix}\x1b[0m"
        try:
            print(prefix, line, flush=True)
        except BrokenPipeError:  # whoever read us is gone; the platform goes on
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
