"""Wake-ups of Celery workers: hints, each with a work item's id. A lost one is sent again by the beat."""

import queue
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

import kombu
import structlog
from celery import current_app

logger = structlog.get_logger(__name__)

RUN_WORK_ITEM = "broker.run_work_item"


class WakeUp(NamedTuple):
    """Which item is ready, and which Celery queue its workers listen to."""

    item_id: int
    lane: str


def send(wake_ups: Iterable[WakeUp], *, delay: float = 0) -> None:
    """Tell the workers, after `delay` seconds. Never raises: the rows are the truth and the beat looks at them."""
    try:
        for item_id, lane in wake_ups:
            current_app.send_task(
                RUN_WORK_ITEM, args=[item_id], queue=lane, countdown=delay or None, ignore_result=True, retry=False
            )
    except Exception as error:
        logger.warning("wake_up_not_sent", error=str(error))


def waiting(lane: str) -> int:
    """How many wake-ups lie in a lane, unread; about so many, where the transport does not count exactly.

    Raises `kombu.exceptions.OperationalError`, or the transport's own error, when that does not answer.
    """
    with current_app.connection_for_write() as celery:
        celery.ensure_connection(max_retries=1, interval_start=0)
        try:
            declared: Any = kombu.Queue(lane, channel=celery.default_channel).queue_declare(passive=True)
            return int(declared.message_count)
        except celery.channel_errors:  # an empty lane does not exist
            return 0


class Sender:
    """Sends wake-ups from a thread of its own, so that a transport that is away or asleep never holds up the relay."""

    def __init__(self, *, capacity: int = 10_000) -> None:
        self._waiting: queue.Queue[WakeUp] = queue.Queue(capacity)

    def put(self, wake_ups: Iterable[WakeUp]) -> None:
        """Hand over without waiting; what finds no room is left to the beat."""
        try:
            for wake_up in wake_ups:
                self._waiting.put_nowait(wake_up)
        except queue.Full:
            logger.warning("wake_up_not_sent", error="too many are waiting")

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set."""
        while not stop.is_set():
            try:
                send([self._waiting.get(timeout=0.5)])
            except queue.Empty:
                continue
