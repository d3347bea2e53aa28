"""Where clients wait to be let in: a crowd that knocks at once is opened to a few at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary

from django.conf import settings

PAUSE_SECONDS = 0.02


class Doorstep:
    """Opens at a bounded rate. What waits here costs next to nothing, so pages keep their share of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_pausing = False
        self._at_once = max(1, int(settings.LIVE_ADMISSIONS_PER_SECOND * PAUSE_SECONDS))

    def knock(self, come_in: Callable[[], None]) -> None:
        """Call back when it is this one's turn: now, unless others came just before."""
        self._waiting.append(come_in)
        if not self._is_pausing:
            self._open()

    def _open(self) -> None:
        for _ in range(min(self._at_once, len(self._waiting))):
            self._waiting.popleft()()
        self._is_pausing = True
        self._loop.call_later(PAUSE_SECONDS, self._end_pause)

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
