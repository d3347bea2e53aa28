"""A viewer's client that reconnects with its positions, as the browser's does, and remembers every frame."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

PATIENCE_SECONDS = 30.0


def eventually(condition: Callable[[], Any], *, within: float = PATIENCE_SECONDS, what: str = "") -> Any:
    """Poll `condition` until it is true, and return its value; fail with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what or condition}")
        time.sleep(0.05)
    return value


class LiveClient:
    """One browser's worth of live connection, on a thread of its own."""

    def __init__(self, base_url: str, token: str, *, held: "LiveClient | None" = None) -> None:
        self._url = base_url.replace("http", "ws", 1) + "/ws/live/"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.connected = threading.Event()
        self.epoch: str = held.epoch if held else ""
        self.positions: dict[str, int] = dict(held.positions) if held else {}
        self.received: list[dict[str, Any]] = []  # notification frames in order of arrival
        self.connections = 0
        self.resets: list[str] = []

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._url, additional_headers=self._headers, open_timeout=5, close_timeout=1) as socket:
                    self._listen(socket)
            except (WebSocketException, OSError, TimeoutError):
                pass  # what a browser does: come back with the positions held
            self.connected.clear()
            self._stopping.wait(0.2)

    def _listen(self, socket: ClientConnection) -> None:
        resume: dict[str, Any] = {"type": "resume"}
        if self.epoch:
            resume |= {"epoch": self.epoch, "positions": self.positions}
        socket.send(json.dumps(resume))
        while not self._stopping.is_set():
            try:
                self._take(socket, json.loads(socket.recv(timeout=0.2)))
            except TimeoutError:
                continue

    def _take(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "welcome":
                if not self.epoch:
                    self.epoch, self.positions = frame["epoch"], frame["positions"]
                self.connections += 1
                self.connected.set()
            case "notification":
                self.received.append(frame)
                self._advance(frame["positions"])
            case "ping":
                self._advance(frame["positions"])
                socket.send(json.dumps({"type": "pong"}))
            case "reset":
                self.resets.append(frame["reason"])

    def _advance(self, positions: dict[str, int]) -> None:
        for topic in self.positions.keys() & positions.keys():
            self.positions[topic] = max(self.positions[topic], positions[topic])

    def start(self) -> None:
        """Connect, and wait for the welcome."""
        self._thread.start()
        assert self.connected.wait(PATIENCE_SECONDS), "no welcome"

    def stop(self) -> None:
        """Disconnect for good."""
        self._stopping.set()
        self._thread.join(5)


@contextmanager
def live_client(base_url: str, token: str, *, held: LiveClient | None = None) -> Iterator[LiveClient]:
    """A connected client for the length of a block."""
    client = LiveClient(base_url, token, held=held)
    client.start()
    try:
        yield client
    finally:
        client.stop()
