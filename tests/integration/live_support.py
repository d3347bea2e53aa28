"""A web process on the test's database, and clients that speak the live protocol over real sockets."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from accounts.commands import create_api_token
from accounts.models import User
from broker.processes import dying_with_parent
from notifications.events import notification_posted
from notifications.models import Notification, Posting
from notifications.tasks import fan_out
from ott.embedded.ports import free_port
from ott.embedded.processes import COMMANDS

START_SECONDS = 30
EPOCH = uuid.UUID(int=7)  # the same for all tests: it names the database, and they share one
PATIENCE = 5.0  # seconds until a frame that must come has come


class LiveServer:
    """One real web process, as `make up` runs it, on a free port."""

    def __init__(self, environment: dict[str, str], *options: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"127.0.0.1:{self.port}"
        command = [part.format(port=self.port) for part in COMMANDS["web"]]
        self.process = subprocess.Popen(
            [*command, *options],
            env={**os.environ, **environment, "OTT_PROCESS": "web", **settings},
            preexec_fn=dying_with_parent(),  # noqa: PLW1509 - the child only calls prctl
        )

    def wait_until_ready(self) -> Self:
        """Wait until it answers HTTP."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"http://{self.url}/healthz", timeout=1).close()
            except urllib.error.HTTPError:
                return self
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise AssertionError("the web process did not start")

    def get(self, path: str) -> str:
        """What it answers."""
        with urllib.request.urlopen(f"http://{self.url}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def stop(self) -> None:
        """Stop it as the supervisor does."""
        self.process.terminate()
        self.process.wait(30)  # it sees its clients off first


class Client:
    """One tab or device. It answers pings while it waits for frames, unless told not to."""

    def __init__(self, server: LiveServer, user: User, *, pongs: bool = True, **options: Any) -> None:
        if "additional_headers" not in options:
            options["additional_headers"] = bearer(user)
        self.pongs = pongs
        self.positions: dict[str, int] = {}
        self.epoch = ""
        self.pings = 0
        self._opening = connect(f"ws://{server.url}/ws/live/", compression=None, **options)
        self.socket: ClientConnection

    def send(self, **frame: Any) -> None:
        """Send one frame."""
        self.socket.send(json.dumps(frame))

    def resume(self, epoch: str | None = None, positions: dict[str, int] | None = None) -> dict[str, Any]:
        """Send `resume` and give the answer: welcome or reset."""
        self.send(type="resume", **({} if epoch is None else {"epoch": epoch, "positions": positions}))
        return self.next("welcome", "reset")

    def next(self, *types: str, within: float = PATIENCE) -> dict[str, Any]:
        """The next frame of one of these types; pings are answered, other frames fail the test."""
        deadline = time.monotonic() + within
        while True:
            frame = self.receive(max(0.01, deadline - time.monotonic()))
            if frame["type"] in types:
                return frame
            assert frame["type"] == "ping", f"waiting for {types}, got {frame}"

    def titles(self, count: int, within: float = PATIENCE) -> list[str]:
        """The titles of the next `count` notifications."""
        return [self.next("notification", within=within)["title"] for _ in range(count)]

    def hears_nothing(self, seconds: float = 0.4) -> bool:
        """Whether only pings come for a while."""
        deadline = time.monotonic() + seconds
        with suppress(TimeoutError):
            while (left := deadline - time.monotonic()) > 0:
                frame = self.receive(left)
                assert frame["type"] == "ping", frame
        return True

    def receive(self, timeout: float) -> dict[str, Any]:
        """One frame, whichever; the client does with it what the protocol asks of it."""
        frame: dict[str, Any] = json.loads(self.socket.recv(timeout=timeout))
        if frame["type"] == "welcome":
            self.epoch, self.positions = frame["epoch"], dict(frame["positions"])
        elif frame["type"] in {"notification", "ping"}:
            self.positions |= {t: seq for t, seq in frame["positions"].items() if t in self.positions}
        if frame["type"] == "ping":
            self.pings += 1
            if self.pongs:
                self.send(type="pong")
        return frame

    def close_code(self, within: float = PATIENCE) -> int:
        """Wait until the server closes the connection: its code."""
        deadline = time.monotonic() + within
        try:
            while True:
                self.receive(max(0.01, deadline - time.monotonic()))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006

    def close_reason(self) -> str:
        """The words that came with the close code; empty without."""
        return self.socket.close_reason or ""

    def __enter__(self) -> Self:
        self.socket = self._opening.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._opening.__exit__(*details)


def bearer(user: User) -> dict[str, str]:
    """The headers of a client that shows a new token."""
    _, token = create_api_token(user=user, name="test")
    return {"Authorization": f"Bearer {token}"}


def push(notification: Notification) -> None:
    """What the worker does after a posting."""
    rows = Posting.objects.filter(notification=notification, revision=notification.revision)
    positions = dict(rows.values_list("topic__name", "seq"))
    fan_out(notification_posted(notification, positions))


def eventually(condition: Callable[[], Any], within: float = PATIENCE) -> None:
    """Poll until `condition` holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
