"""Hints to the hubs through the channel layer. What they tell of stands in PostgreSQL; a lost one is healed there."""

import asyncio
import logging
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from channels.layers import get_channel_layer
from django.db import transaction

from accounts.standing import StandingChanged
from notifications.queries import ItemState, ReadNews

from . import metrics
from .posted import Posted

GROUP = "live"
SEND_SECONDS = 5.0

logger = logging.getLogger(__name__)


class _LoopThread:
    """An event loop on a thread of its own, so that one connection to Redis serves every send of this process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="live-push", daemon=True).start()

    def send(self, message: Mapping[str, Any]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(get_channel_layer().group_send(GROUP, dict(message)), self.loop)


_thread: _LoopThread | None = None
_thread_lock = threading.Lock()


def _loop_thread() -> _LoopThread:
    """This process's thread: threads do not survive a fork, so a child of a worker makes its own."""
    global _thread  # noqa: PLW0603 - one a process is the point
    with _thread_lock:
        if _thread is None or _thread.pid != os.getpid():
            _thread = _LoopThread()
        return _thread


def send_to_hubs(message: Mapping[str, Any]) -> bool:
    """Send one message to the hub of every web process, and wait until Redis has it. False when it could not."""
    try:
        _loop_thread().send(message).result(SEND_SECONDS)
    except Exception:
        metrics.hints_lost.inc()
        logger.warning("A live hint was not sent; the hubs will find out by themselves", exc_info=True)
        return False
    return True


def push_live(posted: Posted) -> bool:
    """Tell the hubs of a posting: one message, whatever the audience. False when Redis could not be told."""
    return send_to_hubs(posted.to_message())


def on_commit_push_read(viewer_id: int, news: ReadNews) -> None:
    """After the commit, tell the viewer's other tabs and devices what was read."""
    states = {str(state): list(items.items()) for state, items in news.states.items()}
    message = {"type": "live.read", "viewer": viewer_id, "version": news.version, "states": states}
    message |= {"positions": dict(news.positions), "unread": news.unread}
    transaction.on_commit(lambda: _send_soon(message), robust=True)


def news_from_message(message: Mapping[str, Any]) -> ReadNews:
    """What `on_commit_push_read` told."""
    states = {state: dict(message["states"][state]) for state in ItemState}
    return ReadNews(message["version"], states, message["positions"], message["unread"])


def hint_standing(happened: StandingChanged) -> None:
    """Let the hubs look at this viewer's entitlements and sessions now rather than at the next tick."""
    _send_soon({"type": "live.entitlement", "viewer": happened.user_id})


def _send_soon(message: Mapping[str, Any]) -> None:
    """Send without waiting: the caller answers a request."""
    _loop_thread().send(message).add_done_callback(_log_failure)


def _log_failure(sent: Future[None]) -> None:
    if not sent.cancelled() and (error := sent.exception()):
        metrics.hints_lost.inc()
        logger.warning("A live hint was not sent: %s", error)
