"""Where clients wait to be let in: a crowd that knocks at once is opened to a few at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PAUSE_SECONDS = 0.02
MADE_UP_SECONDS = 3 * PAUSE_SECONDS  # at most, when the loop is late: else a busy one would never reach the rate
WHILE_THEY_COME = 4  # while more knock than are due, a quarter: pages stand behind them in the kernel's queue
KNOCK = b"GET /ws/"
MOST_HEAD_BYTES = 64 * 1024  # of a request, its headers included


class Doorstep:
    """Opens at a bounded rate. What waits here costs next to nothing, so pages keep their share of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._knocks = 0  # since the last opening
        self._is_pausing = False
        self._opened_at = loop.time()

    def knock(self, come_in: Callable[[], None]) -> None:
        """Call back when it is this one's turn: now, unless others came just before."""
        self._waiting.append(come_in)
        self._knocks += 1
        if not self._is_pausing:
            self._open()

    def _open(self) -> None:
        now = self._loop.time()
        seconds = min(now - self._opened_at, MADE_UP_SECONDS)
        self._opened_at = now
        self._is_pausing = True
        self._loop.call_later(PAUSE_SECONDS, self._end_pause)
        due = max(1, round(settings.LIVE_ADMISSIONS_PER_SECOND * seconds))
        if self._knocks > due:
            due = max(1, due // WHILE_THEY_COME)
        self._knocks = 0
        for _ in range(min(due, len(self._waiting))):
            self._waiting.popleft()()

    def _end_pause(self) -> None:
        self._is_pausing = False
        if self._waiting:
            self._open()


_doorsteps: WeakKeyDictionary[asyncio.AbstractEventLoop, Doorstep] = WeakKeyDictionary()


def doorstep(loop: asyncio.AbstractEventLoop) -> Doorstep:
    """The one of this event loop."""
    if loop not in _doorsteps:
        _doorsteps[loop] = Doorstep(loop)
    return _doorsteps[loop]


class DoorstepProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol: who asks for a socket waits on the doorstep, as bytes that nobody has parsed.

    Named to uvicorn as `--http=notifications.live.doorstep:DoorstepProtocol`. A page is served at once. A request whose
    head is too long, which the parser would take for ever, is answered with 400.
    """

    _knocked_with = b""
    _is_in = False
    _head_bytes = 0  # so far, of the request whose head is being read
    _reads_head = True

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first ones say whether it is a page or a socket that is asked for."""
        if self._is_in:
            self._read(data)
            return
        is_first = not self._knocked_with
        self._knocked_with += data
        if not self._knocked_with.startswith(KNOCK) or len(self._knocked_with) > MOST_HEAD_BYTES:
            self._come_in()
        elif is_first:
            doorstep(self.loop).knock(self._come_in)

    def _come_in(self) -> None:
        if not self._is_in and not self.transport.is_closing():
            self._is_in = True
            data, self._knocked_with = self._knocked_with, b""
            self._read(data)

    def _read(self, data: bytes) -> None:
        super().data_received(data)
        if self._reads_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self.send_400_response("The request's head is too long.")

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, and let go of the parser, which would keep this object for as long as it lives."""
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # as uvicorn does when a connection is lost

    def on_message_begin(self) -> None:
        """Another request begins."""
        self._reads_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """What comes now is its body."""
        self._reads_head, self._head_bytes = False, 0
        super().on_headers_complete()
