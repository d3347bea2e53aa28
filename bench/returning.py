"""Thousands of clients in one process that come back by themselves, as a browser does, and count what they are shown.

Started as `python -m bench.returning PORT FALLBACK FILE`, where FILE holds `{"tokens": […], "expected": N}`. They
connect to PORT; when that is gone, to FALLBACK, with the positions that they hold. Its lines, with monotonic times:

    < ready                 all are live on PORT
    < back MONOTONIC        all are live on FALLBACK
    < complete MONOTONIC    each has N notifications
    > report (any line)     < {"incomplete": clients, "repeated": frames, "resets": …, "refusals": …, "back": [times]}
"""

import asyncio
import json
import random
import struct
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

import uvloop

from .crowd import LONG, handshake, masked, raise_file_limit, say

CONNECTING_AT_ONCE = 100
CLOSE, TEXT = 8, 1
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds; docs/live-protocol.md, "How a connection ends"
ASK_AFTER, ASK_BEFORE = 30.0, 50.0  # seconds after a welcome without a count
VERY_LONG = 127
PONG = masked('{"type":"pong"}')
ASK = masked('{"type":"read","ids":[]}')


@cache
def parsed(payload: bytes) -> dict[str, Any]:
    """A frame's content; a notification's is the same for all, so it is read once."""
    content: dict[str, Any] = json.loads(payload)
    return content


@lru_cache(maxsize=64)
def frames_in(data: bytes) -> tuple[Sequence[tuple[int, dict[str, Any]]], int]:
    """(opcode, content) of each complete frame, and where they end. What is pushed to all is taken apart once."""
    frames, start = [], 0
    while (found := _frame(data, start)) is not None:
        opcode, payload, start = found
        frames.append((opcode, parsed(payload) if opcode == TEXT else {}))
    return frames, start


class Clients:
    """All of them, and what is known of them together."""

    def __init__(self, ports: tuple[int, int], tokens: list[str], expected: int) -> None:
        self.ports = ports
        self.expected = expected
        self.all = [Client(self, token) for token in tokens]
        self.complete = 0
        self.back: list[float] = []
        self.counts: Counter[str] = Counter()

    async def connect(self) -> None:
        """Connect all, some at a time, each until it is live."""
        admission = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def connect_one(client: Client) -> None:
            async with admission:
                await client.connect(self.ports[0])
                await client.live

        await asyncio.gather(*(connect_one(client) for client in self.all))

    def is_back(self) -> None:
        """One more is live again."""
        self.back.append(time.monotonic())
        if len(self.back) == len(self.all):
            say(f"back {time.monotonic()}")

    def is_shown(self, number: int, *, held: int) -> None:
        """One more has been shown the notification with this number for the first time; it holds so many by now."""
        self.complete += held == self.expected
        if held == self.expected and self.complete == len(self.all):
            say(f"complete {time.monotonic()}")

    def report(self) -> dict[str, Any]:
        """What came of it."""
        shown = [client.shown for client in self.all]
        return {
            "incomplete": sum(len(one) != self.expected for one in shown),
            "repeated": sum(one.total() - len(one) for one in shown),
            "resets": self.counts["reset"],
            "refusals": self.counts["refused"],
            "back": self.back,
        }


class Client:
    """One viewer's client, through all its connections."""

    def __init__(self, clients: Clients, token: str) -> None:
        self.clients = clients
        self.shown: Counter[int] = Counter()  # how often each notification came
        self.live: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lacks_count = False  # of what is unread: there was a crowd
        self._token = token
        self._epoch = ""
        self._positions: dict[str, int] = {}
        self._pause = FIRST_PAUSE
        self._is_returning = False
        self._is_welcome = False  # on this connection: a heartbeat may come before
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, port: int) -> None:
        """Open a connection and resume."""
        await asyncio.get_running_loop().create_connection(lambda: Connection(self), "127.0.0.1", port)

    def opening(self) -> bytes:
        """The handshake."""
        return handshake("/ws/live/", [f"Authorization: Bearer {self._token}"])

    def resume(self) -> bytes:
        """The first frame."""
        held = {"epoch": self._epoch, "positions": self._positions} if self._epoch else {}
        return masked(json.dumps({"type": "resume", **held}))

    def lost(self) -> None:
        """The connection has ended: come back after a while."""
        if self._is_returning and not self.live.done():
            self.clients.counts["refused"] += 1
        self._is_returning, self._is_welcome = True, False
        if self.live.done():
            self.live = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._come_back())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _come_back(self) -> None:
        while True:
            await asyncio.sleep(random.uniform(0, self._pause))
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            try:
                await self.connect(self.clients.ports[1])
            except OSError:
                self.clients.counts["refused"] += 1
            else:
                return

    def take(self, frame: dict[str, Any]) -> bytes:
        """Understand a frame's content, which others may have, too; what to answer."""
        match frame["type"]:
            case "welcome":
                self._epoch, self._positions = frame["epoch"], dict(frame["positions"])
                self._pause = FIRST_PAUSE
                self._is_welcome = True
                self.lacks_count = frame["unread"] is None
            case "notification":
                self._show(frame["id"])
                self._advance(frame["positions"])
            case "ping":
                self._advance(frame["positions"])
                self._arrived()
                return PONG
            case "reset":
                self.clients.counts["reset"] += 1
        return b""

    def _show(self, number: int) -> None:
        times = self.shown[number] = self.shown.get(number, 0) + 1
        if times == 1:
            self.clients.is_shown(number, held=len(self.shown))

    def _advance(self, positions: dict[str, int]) -> None:
        held = self._positions
        for topic, seq in positions.items():
            if topic in held and held[topic] < seq:
                held[topic] = seq

    def _arrived(self) -> None:
        if self._is_welcome and not self.live.done():
            self.live.set_result(None)
            if self._is_returning:
                self.clients.is_back()


class Connection(asyncio.Protocol):
    """A WebSocket, as far as a server's frames go."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._bytes = b""
        self._is_open = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._client.opening())

    def data_received(self, data: bytes) -> None:
        """Take what is complete."""
        self._bytes += data
        if not self._is_open:
            head, end, rest = self._bytes.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self._transport.close()
                return
            self._is_open, self._bytes = True, rest
            self._transport.write(self._client.resume())
        self._take_frames()

    def _take_frames(self) -> None:
        frames, end = frames_in(self._bytes)
        for opcode, content in frames:
            if opcode == CLOSE:
                self._transport.close()
            elif opcode == TEXT and (answer := self._client.take(content)):
                self._transport.write(answer)
        self._bytes = self._bytes[end:]
        if self._client.lacks_count:
            self._client.lacks_count = False
            asyncio.get_running_loop().call_later(random.uniform(ASK_AFTER, ASK_BEFORE), self._ask)

    def _ask(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ASK)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the client."""
        self._client.lost()


def _frame(data: bytes, start: int) -> tuple[int, bytes, int] | None:
    """The frame that begins at `start`: opcode, payload, and where it ends; None when it is not all there."""
    if len(data) < start + 2:
        return None
    size, begin = data[start + 1], start + 2
    if size == LONG and len(data) >= begin + 2:
        size, begin = struct.unpack_from("!H", data, begin)[0], begin + 2
    elif size == VERY_LONG and len(data) >= begin + 8:
        size, begin = struct.unpack_from("!Q", data, begin)[0], begin + 8
    elif size >= LONG:
        return None
    end = begin + size
    return None if len(data) < end else (data[start] & 0x0F, data[begin:end], end)


async def main(ports: tuple[int, int], plan: dict[str, Any]) -> None:
    """Connect, come back, and report when asked."""
    clients = Clients(ports, plan["tokens"], plan["expected"])
    await clients.connect()
    say("ready")
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while await orders.readline():
        say(json.dumps(clients.report()))


if __name__ == "__main__":
    raise_file_limit()
    uvloop.run(main((int(sys.argv[1]), int(sys.argv[2])), json.loads(Path(sys.argv[3]).read_text())))
