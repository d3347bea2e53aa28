"""Thousands of light WebSocket clients in one process: they count bytes, and understand none of them.

Started as `python -m bench.crowd PORT FILE`, where FILE holds one JSON object: `headers` and `hello`, one a client, the
path, and the `marker` in what a server says when a client is ready. It talks to the bench over its pipes, a line each:

    > (start)      < ready SECONDS           all are connected; how long that took
    > expect BYTES < done MONOTONIC          when that many bytes have come since this line
    > counts       < [bytes of each client]  since the last but one
"""

import asyncio
import base64
import json
import os
import resource
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import uvloop

CONNECTING_AT_ONCE = 100
LONG = 126  # from here on a frame says its length in two bytes more
_incoming = memoryview(bytearray(256 * 1024))  # one for all: nobody keeps what came


def raise_file_limit() -> None:
    """Let this process hold as many sockets as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def masked(text: str) -> bytes:
    """A client's text frame, with a mask of zeros (RFC 6455, section 5.3)."""
    payload = text.encode()
    size = len(payload)
    length = struct.pack("!B", 0x80 | size) if size < LONG else struct.pack("!BH", 0x80 | LONG, size)
    return b"\x81" + length + b"\0\0\0\0" + payload


def handshake(path: str, headers: Sequence[str]) -> bytes:
    """What a client says first: that it wants a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


class Crowd:
    """All clients, and how many bytes they have been sent."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.clients: list[Client] = []
        self.total = 0
        self.goal = sys.maxsize

    async def connect(self, port: int) -> None:
        """Connect all, some at a time, each until the server says that it is ready."""
        admission = asyncio.Semaphore(CONNECTING_AT_ONCE)
        hosts = self.plan["headers"]
        await asyncio.gather(*(self._connect_one(port, number, admission) for number in range(len(hosts))))
        self.clients.sort(key=lambda client: client.number)

    async def _connect_one(self, port: int, number: int, admission: asyncio.Semaphore) -> None:
        async with admission:
            loop = asyncio.get_running_loop()
            _, client = await loop.create_connection(lambda: Client(self, number), "127.0.0.1", port)
            self.clients.append(client)
            await client.ready

    def expect(self, size: int) -> None:
        """Begin to count; say so when `size` bytes have come."""
        self.total, self.goal = 0, size

    def reached(self) -> None:
        """All that was expected has come."""
        self.goal = sys.maxsize
        say(f"done {time.monotonic()}")

    def counts(self) -> list[int]:
        """What each client has been sent since this was asked last."""
        counts = [client.count for client in self.clients]
        for client in self.clients:
            client.count = 0
        return counts


class Client(asyncio.BufferedProtocol):
    """One client: a handshake, a hello, and then a number."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self.crowd = crowd
        self.number = number
        self.count = 0
        self.is_ready = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._said = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self._transport = transport = cast(asyncio.Transport, transport)
        plan = self.crowd.plan
        path = plan["path"].format(number=self.number)
        transport.write(handshake(path, plan["headers"][self.number]))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return _incoming

    def buffer_updated(self, nbytes: int) -> None:
        """Count."""
        if not self.is_ready:
            self._listen(bytes(_incoming[:nbytes]))
            return
        self.count += nbytes
        crowd = self.crowd
        crowd.total += nbytes
        if crowd.total >= crowd.goal:
            crowd.reached()

    def _listen(self, said: bytes) -> None:
        hello = self.crowd.plan["hello"]
        if hello and b"\r\n\r\n" in said and not self._said:
            self._transport.write(masked(hello))
        self._said += said
        if self.crowd.plan["marker"].encode() in self._said:
            self.is_ready, self._said = True, b""
            self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """A client that is cut off makes the whole measurement worthless."""
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"refused: {self._said[:200]!r}"))
        say(f"lost {self.number}")


def say(line: str) -> None:
    """One line to the bench."""
    print(line, flush=True)


async def main(port: int, plan: dict[str, Any]) -> None:
    """Connect, then do as told until the pipe ends."""
    crowd = Crowd(plan)
    started = time.monotonic()
    await crowd.connect(port)
    say(f"ready {time.monotonic() - started}")
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order, _, argument = line.decode().strip().partition(" ")
        if order == "expect":
            crowd.expect(int(argument))
            say("expecting")
        else:
            say(json.dumps(crowd.counts()))


if __name__ == "__main__":
    raise_file_limit()
    uvloop.run(main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())))
