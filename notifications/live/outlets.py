"""The way out to a client's socket: straight to the transport where the server offers that, else by ASGI."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol, cast

from .frames import Outgoing
from .server import EXTENSION

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outlet(Protocol):
    """Takes frames without ever waiting. `FramesProtocol` is one."""

    def write(self, outgoing: Outgoing) -> bool:
        """Send it, or begin to. False when it cannot be taken now."""

    def call_when_ready(self, callback: Callable[[], None]) -> None:
        """Call back, once, when more may be taken again."""

    def call_on_shutdown(self, farewell: Callable[[], None]) -> None:
        """Leave the goodbye to the application when the server is told to end."""

    def stop(self) -> None:
        """Send nothing more."""

    def cut(self, seconds: float) -> None:
        """Give the client that long to take what was sent, the goodbye included."""


class SendOutlet:
    """Sends by `websocket.send`, one frame at a time, in a task of its own: that call may wait for the client."""

    __slots__ = ("_given", "_on_ready", "_outgoing", "_send", "_task")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._outgoing: Outgoing | None = None
        self._given = asyncio.Event()
        self._on_ready: Callable[[], None] | None = None
        self._task = asyncio.create_task(self._run())

    def write(self, outgoing: Outgoing) -> bool:
        """Send it if what came before is gone."""
        if self._outgoing is not None:
            return False
        self._outgoing = outgoing
        self._given.set()
        return True

    def call_when_ready(self, callback: Callable[[], None]) -> None:
        """Call back, once, when what is being sent is gone."""
        self._on_ready = callback

    def call_on_shutdown(self, farewell: Callable[[], None]) -> None:
        """Not to be had by ASGI: the server closes with a code of its own, which is 1012 as a rule."""

    def stop(self) -> None:
        """End the task."""
        self._task.cancel()

    def cut(self, seconds: float) -> None:
        """Not to be had by ASGI: the server has a time limit of its own."""

    async def _run(self) -> None:
        with suppress(OSError):  # ASGI's way to say that the client is gone
            while True:
                await self._given.wait()
                self._given.clear()
                while self._outgoing is not None:
                    for text in self._outgoing.texts:
                        await self._send({"type": "websocket.send", "text": text})
                    self._outgoing = None
                    callback, self._on_ready = self._on_ready, None
                    if callback is not None:
                        callback()


def outlet_for(scope: Mapping[str, Any], send: Send) -> Outlet:
    """The best way out that the server offers."""
    offered = scope.get("extensions", {}).get(EXTENSION)
    return SendOutlet(send) if offered is None else cast(Outlet, offered["outlet"])
