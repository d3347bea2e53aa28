"""One client's connection: what it wants, what waits to be sent to it, and when to give up on it."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import cast

from django.conf import settings

from notifications.given_topics import is_given

from . import metrics
from .frames import Outgoing
from .interest import ALWAYS, NO_PERIOD, Filter, Interest, Period
from .order import Release
from .outlets import Outlet, Send
from .posted import Posted
from .protocol import Close

MAX_UNSEEN = 64  # lots whose ack is waited for; of more, the oldest are forgotten
MAX_WAITING_BYTES = 512 * 1024
FRAME_OVERHEAD = 256  # bytes that a waiting frame costs beside its text
NO_FLOORS: Mapping[str, int] = {}  # one for all
NEVER = sys.maxsize  # instead of a broadcast's number
FRAMES_PER_SECOND = 50  # of a client's, in the long run
FRAMES_AT_ONCE = 200
CLOSE_SECONDS = 2.0
CUT_SECONDS = 15.0  # after the goodbye; longer than a server waits for the client's answer to it


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is connected, and by what right: a session or a token."""

    viewer_id: int
    credential: str  # changes with the password
    session_key: str | None = None
    token_id: int | None = None


class Connection:
    """A client as the hub sees it, made in the task that reads from it. Nothing here waits for the client to read."""

    __slots__ = (
        "__weakref__",
        "_budget",
        "_budget_at",
        "_closing",
        "_outlet",
        "_task",
        "_unseen",
        "_waiting",
        "_waiting_bytes",
        "buffer",
        "close_reason",
        "floors",
        "identity",
        "interest",
        "last_pong",
        "live_since",
        "next_ping",
        "period",
        "read_version",
        "registered",
    )

    def __init__(self, identity: Identity, outlet: Outlet) -> None:
        self.identity = identity
        self.interest: Interest | None = None
        self.floors: Mapping[str, int] = NO_FLOORS  # where it began in topics that have not been delivered that far yet
        self.buffer: list[Release] | None = None  # while a resume reads the database
        self.registered: AbstractSet[str] = frozenset()  # the topics under which the hub has it
        self.live_since = NEVER  # the number of the broadcast after which it gets everything as it comes
        self.period: Period = NO_PERIOD  # of membership, the one in which it became live; when that ends, it is reset
        self.read_version = 0
        self.last_pong = time.monotonic()
        self.next_ping = self.last_pong + settings.LIVE_HEARTBEAT_SECONDS
        self.close_reason = ""
        self._outlet = outlet
        self._unseen: list[Sequence[Posted]] = []  # sent, and not acknowledged yet; each lot is shared by many
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._waiting: deque[tuple[Outgoing, int]] | None = None  # what the outlet could not take, with its cost
        self._waiting_bytes = 0
        self._closing: Close | None = None
        self._budget = float(FRAMES_AT_ONCE)
        self._budget_at = time.monotonic()

    # --- what it wants ---------------------------------------------------------------------------------------------
    @property
    def is_live(self) -> bool:
        """Whether it has resumed, and nothing has come between since."""
        return self.live_since != NEVER

    @property
    def filters(self) -> Mapping[str, Filter]:
        """What it wants of each topic that it follows."""
        return {} if self.interest is None else self.interest.filters

    def stance_in(self, topic: str) -> tuple[bool, Period]:
        """Whether it hears of what is posted to `topic` now, and of what it hears: posted from when until when.

        It does unless it mutes the topic, or is no member and the topic not given.
        """
        period = ALWAYS if is_given(topic) else self.period
        interest = self.interest
        if interest is not None and topic in interest.muted:
            start, end = period
            return False, (max(start, interest.muted[topic]), end)
        return period is not NO_PERIOD, period

    def wants(self, posted: Posted, topic: str) -> bool:
        """Whether this viewer is to see a posting that came in `topic`, at this moment. Asked by `index.Group`."""
        of = self.filters.get(topic)
        return (
            self.interest is not None
            and of is not None
            and of.passes(posted)
            and posted.positions[topic] > self.floors.get(topic, 0)
            and (is_given(topic) or self.interest.is_member_at(posted.posted_at))
            and self.interest.hears_from(topic) <= posted.posted_at
        )

    def may_lose(self, posted: Posted, topic: str) -> bool:
        """Whether it may hold a card that is not for this viewer any more."""
        of = self.filters.get(topic)
        return of is not None and of.may_lose(posted) and posted.positions[topic] > self.floors.get(topic, 0)

    # --- what it is sent -------------------------------------------------------------------------------------------
    def offer(self, outgoing: Outgoing) -> None:
        """Send what there is; a client that does not read is closed instead, and resumes when it comes back."""
        if self._waiting is None and self._closing is None and self._outlet.write(outgoing):
            return
        cost = sum(len(text) + FRAME_OVERHEAD for text in outgoing.texts)
        if self._waiting_bytes + cost > MAX_WAITING_BYTES:
            self.close(Close.TRY_AGAIN, "slow")
        else:
            self._wait(outgoing, cost)

    def owe(self, answer: Outgoing) -> None:
        """Send the answer to a resume, which `LIVE_MAX_MISSING` bounds; who asks again and reads nothing is closed."""
        if self._waiting is not None:
            self.close(Close.TRY_AGAIN, "slow")
        elif self._closing is not None or not self._outlet.write(answer):
            self._wait(answer, 0)

    def _wait(self, outgoing: Outgoing, cost: int) -> None:
        if self._closing is not None:
            return
        if self._waiting is None:
            self._waiting = deque()
            self._outlet.call_when_ready(self._flush)
        self._waiting.append((outgoing, cost))
        self._waiting_bytes += cost

    def _flush(self) -> None:
        while self._waiting and self._outlet.write(self._waiting[0][0]):
            self._waiting_bytes -= self._waiting.popleft()[1]
        if self._waiting:
            self._outlet.call_when_ready(self._flush)
        else:
            self._waiting = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be sent."""
        return self._waiting is None

    def close(self, code: Close, reason: str, *, tell: str = "") -> None:
        """Give up on the client; what waits for it is dropped. Its task ends and says goodbye with `code` and `tell`.

        `reason` is what the metrics count it under.
        """
        if self._closing is not None:
            return
        self._closing, self.close_reason = code, tell or reason
        self._waiting = None
        metrics.dropped.labels(reason).inc()
        if self._task is not asyncio.current_task():
            self._task.cancel()

    @property
    def is_closing(self) -> bool:
        """Whether the server has given up on the client."""
        return self._closing is not None

    async def say_goodbye(self, send: Send) -> None:
        """Send the close frame, if there is one and the client takes it within `CLOSE_SECONDS`."""
        self._outlet.stop()
        if self._closing is None:
            return
        self._outlet.cut(CUT_SECONDS)
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await send({"type": "websocket.close", "code": int(self._closing), "reason": self.close_reason})

    # --- what it has shown -----------------------------------------------------------------------------------------
    def await_ack(self, postings: Sequence[Posted]) -> None:
        """Remember that these were sent, until the client says that it has shown them."""
        if postings:
            self._unseen.append(postings)
        if len(self._unseen) > MAX_UNSEEN:
            del self._unseen[0]

    def acknowledge(self, positions: Mapping[str, int]) -> list[int]:
        """The notifications, among those sent, that are shown when all up to `positions` is."""
        seen, unseen = [], []
        for posted in chain.from_iterable(self._unseen):
            if any(seq <= positions.get(topic, -1) for topic, seq in posted.positions.items()):
                seen.append(posted.notification)
            else:
                unseen.append(posted)
        self._unseen = [unseen] if unseen else []
        return seen

    # --- what it sends ---------------------------------------------------------------------------------------------
    def may_send(self) -> bool:
        """Take one frame from the client's budget; False when it is flooding."""
        now = time.monotonic()
        self._budget = min(FRAMES_AT_ONCE, self._budget + (now - self._budget_at) * FRAMES_PER_SECOND)
        self._budget_at = now
        self._budget -= 1
        return self._budget >= 0
