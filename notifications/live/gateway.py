"""Everything live of one web process: the hub, and the loops that feed it and keep it honest."""

import asyncio
import logging
import random
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.conf import settings

from notifications.crowds import ANNOUNCE_SECONDS, APART_SECONDS, announce
from notifications.queries import read_news
from notifications.resume_queries import unread_counts

from . import tick
from .batching import Batcher
from .connection import Connection
from .door import Door
from .healing import Healer
from .hub import Hub
from .memory import give_back
from .posted import Posted
from .protocol import Close
from .push import GROUP, news_from_message
from .resume import Resumer
from .threads import in_thread

RETRY_SECONDS = 0.5

logger = logging.getLogger(__name__)


class Gateway:
    """One for each event loop that serves live connections; starts with the first of them."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.door = Door()
        self.resumer = Resumer(self.hub)
        self.unread_counts = Batcher[int, int](unread_counts, per_second=settings.LIVE_ADMISSIONS_PER_SECOND)
        self._healer = Healer(self.hub)
        self._tasks = [
            asyncio.create_task(loop, name=name)
            for name, loop in {
                "live-deliver": self.hub.deliver_all(),
                "live-heal": self._healer.run(),
                "live-tick": tick.run(self.hub),
                "live-feed": self._listen(),
                "live-probe": self._probe(),
                "live-heartbeat": self._heartbeat(),
                "live-crowd": self._watch_for_crowds(),
            }.items()
        ]
        self._errands: set[asyncio.Task[None]] = set()
        for task in self._tasks:
            task.add_done_callback(_report)

    async def stop(self) -> None:
        """Close every connection with 1012 and end the loops."""
        for connection in list(self.hub.connections):
            self.send_away(connection)
        for task in [*self._tasks, *self._errands]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._errands, return_exceptions=True)

    def send_away(self, connection: Connection) -> None:
        """The server ends: close, and say after how many seconds to come back, so that not all come at once.

        However many there are, whoever takes them in has that long for it at the rate at which we would.
        """
        spread = len(self.hub.connections) / settings.LIVE_ADMISSIONS_PER_SECOND
        seconds = random.uniform(0, max(1.0, 2 * spread))  # noqa: S311 - no secret
        connection.close(Close.RESTARTING, "restarting", tell=f"retry after {seconds:.1f}")

    # --- hints -----------------------------------------------------------------------------------------------------
    async def _listen(self) -> None:
        """Take hints from the channel layer, for ever, through whatever happens to Redis.

        The layer subscribes again by itself after a broken connection. What it does not notice is a subscription that
        is silently gone; but every process sends a probe each tick, so silence means just that: begin anew.
        """
        layer = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                while True:
                    async with asyncio.timeout(3 * settings.LIVE_TICK_SECONDS):
                        message = await layer.receive(channel)
                    self._take(message)
            except Exception as error:
                logger.warning("Live hints are interrupted (%s); the tick heals meanwhile", repr(error))
                with suppress(Exception):  # it says goodbye to a server that may be gone
                    await layer.flush()
                await asyncio.sleep(RETRY_SECONDS)

    async def _probe(self) -> None:
        layer = get_channel_layer()
        while True:
            await asyncio.sleep(settings.LIVE_TICK_SECONDS)
            try:
                await layer.group_send(GROUP, {"type": "live.probe"})
            except Exception as error:
                logger.warning("Redis does not answer: %s", error)

    def _take(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "live.posted":
                self.hub.accept(Posted.from_message(message))
                self._healer.look()
            case "live.read":
                news = news_from_message(message)
                if not self.hub.tell_read(message["viewer"], news):
                    self._run_errand(self._tell_all_read(message["viewer"]))
            case "live.entitlement":
                self._run_errand(tick.check_viewer(self.hub, message["viewer"]))

    async def _tell_all_read(self, viewer_id: int) -> None:
        news = await in_thread(read_news, viewer_id=viewer_id)
        for connection in self.hub.of_viewer(viewer_id):
            connection.read_version = min(connection.read_version, news.version - 1)
        self.hub.tell_read(viewer_id, news)

    def _run_errand(self, errand: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._end_errand)

    def _end_errand(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.warning("The tick has to do it: %s", error)

    async def _watch_for_crowds(self) -> None:
        """Ask whoever may wait to do so while many resume, and tidy up after them."""
        crowded_at: float | None = None
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            if self.hub.is_crowded:
                crowded_at = time.monotonic()
                try:
                    await asyncio.to_thread(announce)
                except Exception as error:
                    logger.warning("A crowd could not be announced: %s", error)
            elif crowded_at is not None and time.monotonic() - crowded_at > APART_SECONDS:
                crowded_at = None
                await asyncio.to_thread(give_back)

    # --- heartbeat -------------------------------------------------------------------------------------------------
    async def _heartbeat(self) -> None:
        """Ping each connection at its own time, and close those that have not answered for two intervals."""
        interval: float = settings.LIVE_HEARTBEAT_SECONDS
        while True:
            await asyncio.sleep(min(1.0, interval / 5))
            now = time.monotonic()
            for connection in list(self.hub.connections):
                if now - connection.last_pong > 2 * interval:
                    connection.close(Close.NO_PONG, "no-pong")
                elif now >= connection.next_ping:
                    connection.next_ping = now + interval
                    self.hub.ping(connection)


def _report(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled():
        logger.critical("The loop %s of the live gateway has ended", loop.get_name(), exc_info=loop.exception())


_gateways: WeakKeyDictionary[asyncio.AbstractEventLoop, Gateway] = WeakKeyDictionary()


def gateway() -> Gateway:
    """The running loop's gateway, started if need be."""
    loop = asyncio.get_running_loop()
    if loop not in _gateways:
        _gateways[loop] = Gateway()
    return _gateways[loop]


async def stop_gateway() -> None:
    """Stop the running loop's gateway, if there is one."""
    running = _gateways.pop(asyncio.get_running_loop(), None)
    if running is not None:
        await running.stop()
