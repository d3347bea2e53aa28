"""The servers of `bench live`: each pinned to the first core, with a crowd of clients on the second."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from broker.processes import dying_with_parent

from .live_audience import Sample

HOST = "127.0.0.1"
START_SECONDS = 60.0
ROUND_SECONDS = 120.0
FRAME_BYTES = 200
WIRE_BYTES = FRAME_BYTES + 4  # with the header of a server's frame of that size
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One server: how it is started, what its clients say first, and how something is published."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    publish: Callable[[Sample], Awaitable[None]]
    path: str
    headers: Sequence[Sequence[str]]
    postings: int  # a round
    hello: str = ""
    marker: str = "ready"
    filters: bool = True  # or it sends all to all
    port: int = field(default_factory=free_port)


@dataclass
class Arena:
    """A contender's server and crowd, running."""

    contender: Contender
    server: subprocess.Popen[bytes] | None = None
    crowd: asyncio.subprocess.Process | None = None
    before_kib: int = 0
    rates: list[float] = field(default_factory=list)
    singles: list[float] = field(default_factory=list)

    async def start(self, folder: Path) -> None:
        """Start the server, then its clients; return when all of them are ready."""
        contender = self.contender
        command = [part.format(port=contender.port) for part in contender.command]
        self.server = subprocess.Popen(
            command,
            env={**os.environ, **contender.environment},
            preexec_fn=dying_with_parent(),  # noqa: PLW1509 - the child only calls prctl
        )
        pin(self.server.pid, CORES[0])
        await _listening(contender.port)
        self.before_kib = resident_kib(self.server.pid)
        plan = folder / f"{contender.name}.json"
        plan.write_text(json.dumps({name: getattr(contender, name) for name in ("path", "headers", "hello", "marker")}))
        arguments = ["-m", "bench.crowd", str(contender.port), str(plan)]
        pipe = asyncio.subprocess.PIPE
        self.crowd = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=pipe, stdout=pipe, limit=2**24
        )
        pin(self.crowd.pid, CORES[-1])
        seconds = await self._hear("ready", START_SECONDS * 4)
        print(f"{contender.name}: {len(contender.headers)} connections in {float(seconds):.1f} s", file=sys.stderr)

    def kib_per_connection(self) -> float:
        """What a connection costs the server in memory, measured while they are idle."""
        assert self.server is not None
        return (resident_kib(self.server.pid) - self.before_kib) / len(self.contender.headers)

    async def round(self, samples: Sequence[Sample]) -> tuple[int, float]:
        """Publish; how many frames reached clients, and in how many seconds."""
        connections = len(self.contender.headers)
        frames = sum(s.receivers(connections) if self.contender.filters else connections for s in samples)
        await self._say(f"expect {frames * WIRE_BYTES}")
        await self._hear("expecting", START_SECONDS)
        started = time.monotonic()
        for sample in samples:
            await self.contender.publish(sample)
        finished = float(await self._hear("done", ROUND_SECONDS))
        return frames, finished - started

    async def counts(self) -> list[int]:
        """The bytes that each client has been sent since the last call."""
        await self._say("counts")
        counts: list[int] = json.loads(await self._hear("", START_SECONDS))
        return counts

    async def _say(self, line: str) -> None:
        assert self.crowd is not None
        assert self.crowd.stdin is not None
        self.crowd.stdin.write(f"{line}\n".encode())
        await self.crowd.stdin.drain()

    async def _hear(self, word: str, seconds: float) -> str:
        assert self.crowd is not None
        assert self.crowd.stdout is not None
        async with asyncio.timeout(seconds):
            line = (await self.crowd.stdout.readline()).decode().strip()
        if not line.startswith(word):
            raise RuntimeError(f"The clients of {self.contender.name} said {line[:200]!r} instead of {word!r}.")
        return line.removeprefix(word).strip()

    async def stop(self) -> None:
        """End the clients, then the server."""
        if self.crowd is not None and self.crowd.returncode is None:
            self.crowd.kill()
            await self.crowd.wait()
        if self.server is not None:
            self.server.kill()
            self.server.wait()


class Arenas:
    """All contenders at once, so that their rounds can be interleaved."""

    def __init__(self, contenders: Sequence[Contender]) -> None:
        self.all = [Arena(contender) for contender in contenders]
        self._folder = tempfile.TemporaryDirectory(prefix="marquee-bench-crowd-")

    async def __aenter__(self) -> Self:
        try:
            for arena in self.all:
                await arena.start(Path(self._folder.name))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: Any) -> None:
        for arena in self.all:
            await arena.stop()
        self._folder.cleanup()


def pin(pid: int, core: int) -> None:
    """Keep a process on one core, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {core})


def resident_kib(pid: int) -> int:
    """The memory that a process holds, from /proc, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


async def _listening(port: int) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
