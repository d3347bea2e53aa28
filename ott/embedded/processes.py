"""The product's processes: how each is started. `make up`, the tests and the benchmarks all start them from here."""

import sys
from collections.abc import Mapping
from pathlib import Path

from .child import Child
from .ports import LOOPBACK

PROJECT = Path(__file__).resolve().parent.parent.parent
_PYTHON = (sys.executable, "-m")
# Without what workers tell each other: nothing of ours listens to it, and it costs a second at the start.
_WORKER = (*_PYTHON, "celery", "--quiet", "--app=ott.celery", "worker", "--without-mingle", "--without-gossip")

# Encoding and bulk have workers of their own, so that neither ever holds a slot that a notification needs.
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "web": (
        *(*_PYTHON, "uvicorn", "ott.asgi:application", f"--host={LOOPBACK}", "--port={port}", "--loop=ott.loop:Loop"),
        *("--http=notifications.live.doorstep:DoorstepProtocol", "--ws=notifications.live.server:FramesProtocol"),
        *("--ws-max-size=1048576", "--ws-per-message-deflate=false"),
        *("--ws-ping-interval=0", "--no-access-log", "--log-level=warning", "--timeout-graceful-shutdown=3"),
    ),
    "broker": (sys.executable, "manage.py", "run_broker"),
    "worker": (*_WORKER, "--hostname=worker@%h", "--queues=urgent,default", "--concurrency=2"),
    "worker-bulk": (*_WORKER, "--hostname=bulk@%h", "--queues=bulk,figures", "--concurrency=2"),
    "worker-media": (*_WORKER, "--hostname=media@%h", "--queues=media", "--concurrency=1"),
    # So has sending: a provider that is slow delays nobody else. What sends is loaded before the worker forks, once for
    # all its children.
    "worker-outbound": (
        *(*_WORKER, "--hostname=outbound@%h", "--queues=sending,outbound-urgent,outbound"),
        *("--include=notifications.outbound.sender", "--concurrency=2"),
    ),
    "beat": (*_PYTHON, "celery", "--quiet", "--app=ott.celery", "beat"),
}
UP = (*_PYTHON, "ott.embedded", "up")
PREPARE = (sys.executable, "manage.py", "prepare")


class ProductProcess(Child):
    """One process of the product, with `environment` for its settings."""

    def __init__(self, name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = command
        self._environment = {
            **environment,
            "OTT_PROCESS": name,
            "PYTHONUNBUFFERED": "1",
            "CELERY_SKIP_CHECKS": "1",  # `prepare` has made Django's checks, which cost each process a second
        }

    def command(self) -> list[str]:
        return list(self._command)

    def spawn(self, output: int) -> None:
        """Start it, writing to the file descriptor `output`."""
        self._launch(output, folder=PROJECT, environment=self._environment)


def product_processes(*, port: int, environment: Mapping[str, str]) -> list[ProductProcess]:
    """Every process of the product, the web process listening on `port`."""
    return [
        ProductProcess(name, tuple(part.format(port=port) for part in command), environment)
        for name, command in COMMANDS.items()
    ]
