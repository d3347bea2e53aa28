"""One client's connection: what it wants, what waits to be sent to it, and when to give up on it."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings

from notifications.models import KIDS_MAX_MATURITY
from notifications.queries import ViewerState

from . import metrics
from .order import Release
from .posted import Posted
from .protocol import Close

MAX_WAITING_BYTES = 512 * 1024
FRAME_OVERHEAD = 256  # bytes that a waiting frame costs beside its text
FRAMES_PER_SECOND = 50  # of a client's, in the long run
FRAMES_AT_ONCE = 200
CLOSE_SECONDS = 2.0

Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is connected, and by what right: a session or a token."""

    viewer_id: int
    credential: str  # changes with the password
    session_key: str | None = None
    token_id: int | None = None


class Connection:
    """A client as the hub sees it, made in the task that reads from it. Only `write_all` ever waits for the client."""

    __slots__ = (
        "__weakref__",
        "_budget",
        "_budget_at",
        "_closing",
        "_queue",
        "_send",
        "_task",
        "_waiting_bytes",
        "_wake",
        "buffer",
        "floors",
        "identity",
        "is_live",
        "last_pong",
        "next_ping",
        "read_version",
        "registered",
        "state",
        "was_member",
    )

    def __init__(self, identity: Identity, send: Send) -> None:
        self.identity = identity
        self.state: ViewerState | None = None
        self.floors: dict[str, int] = {}
        self.buffer: list[Release] | None = None  # while a resume reads the database
        self.registered: set[str] = set()  # the topics under which the hub has it
        self.is_live = False
        self.was_member = False
        self.read_version = 0
        self.last_pong = time.monotonic()
        self.next_ping = self.last_pong + settings.LIVE_HEARTBEAT_SECONDS
        self._send = send
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._queue: deque[tuple[str, int]] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._closing: Close | None = None
        self._budget = float(FRAMES_AT_ONCE)
        self._budget_at = time.monotonic()

    # --- what it wants ---------------------------------------------------------------------------------------------
    def wants(self, posted: Posted, topic: str) -> bool:
        """Whether this viewer is to see a posting that came in `topic`, at this moment."""
        state = self.state
        return (
            state is not None
            and posted.positions[topic] > self.floors.get(topic, 0)
            and posted.kind in state.topics.get(topic, ())
            and (posted.maturity <= KIDS_MAX_MATURITY or not state.is_kids)
            and self.is_member_at(posted.posted_at)
        )

    def is_member_at(self, moment: float) -> bool:
        """Whether a membership period contains `moment` (seconds since 1970)."""
        return self.state is not None and any(start <= moment < end for start, end in self.state.periods)

    # --- what it is sent -------------------------------------------------------------------------------------------
    def offer(self, text: str) -> None:
        """Queue a frame; a client that does not read is closed instead, and resumes when it comes back."""
        cost = len(text) + FRAME_OVERHEAD
        if self._waiting_bytes + cost > MAX_WAITING_BYTES:
            self.close(Close.TRY_AGAIN, "slow")
        else:
            self._put(text, cost)

    def owe(self, text: str) -> None:
        """Queue a frame of the answer to a resume: `LIVE_MAX_MISSING` bounds those already."""
        self._put(text, 0)

    def _put(self, text: str, cost: int) -> None:
        if self._closing is None:
            self._queue.append((text, cost))
            self._waiting_bytes += cost
            self._wake.set()

    def close(self, code: Close, reason: str) -> None:
        """Give up on the client; what is queued for it is dropped. Its task ends and says goodbye with `code`."""
        if self._closing is not None:
            return
        self._closing = code
        self._queue.clear()
        metrics.dropped.labels(reason).inc()
        if self._task is not asyncio.current_task():
            self._task.cancel()

    @property
    def is_closing(self) -> bool:
        """Whether the server has given up on the client."""
        return self._closing is not None

    async def write_all(self) -> None:
        """Send what is queued, in order, until cancelled or the client is gone."""
        with suppress(OSError):  # ASGI's way to say that the client is gone
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    text, cost = self._queue.popleft()
                    self._waiting_bytes -= cost
                    await self._send({"type": "websocket.send", "text": text})

    async def say_goodbye(self) -> None:
        """Send the close frame, if there is one and the client takes it within `CLOSE_SECONDS`."""
        if self._closing is not None:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._send({"type": "websocket.close", "code": int(self._closing)})

    # --- what it sends ---------------------------------------------------------------------------------------------
    def may_send(self) -> bool:
        """Take one frame from the client's budget; False when it is flooding."""
        now = time.monotonic()
        self._budget = min(FRAMES_AT_ONCE, self._budget + (now - self._budget_at) * FRAMES_PER_SECOND)
        self._budget_at = now
        self._budget -= 1
        return self._budget >= 0
