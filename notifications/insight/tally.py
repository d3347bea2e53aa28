"""Counts viewers in this process: noting costs an append; a thread tells Redis twice a second.

A gateway notes thousands of viewers within milliseconds, so noting takes no lock, makes no set and waits for nobody.
While Redis is away what was noted waits here, up to `MOST_WAITING`; a process that is killed loses half a second.
"""

import atexit
import logging
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable

import redis

from . import metrics, sketches
from .models import Stage
from .sketches import Name

INTERVAL_SECONDS = 0.5
MOST_WAITING = 1_000_000  # viewers, about 100 MB

# Who has seen something has been handed it, and so on: stages are nested, whichever way a viewer took.
_INCLUDED = {
    Stage.PUSHED: (Stage.PUSHED,),
    Stage.SEEN: (Stage.PUSHED, Stage.SEEN),
    Stage.OPENED: (Stage.PUSHED, Stage.SEEN, Stage.OPENED),
}

logger = logging.getLogger(__name__)


class Tally:
    """What was noted and Redis does not know yet."""

    def __init__(self) -> None:
        self._noted: deque[tuple[Stage, tuple[int, ...], Iterable[int]]] = deque()
        self._waiting: dict[Name, set[int]] = defaultdict(set)
        self._telling = threading.Lock()
        self._pid = 0

    def note(self, stage: Stage, notification_ids: tuple[int, ...], viewer_ids: Iterable[int]) -> None:
        """Count these viewers of these notifications at `stage`. `viewer_ids` is kept, not copied."""
        self._noted.append((stage, notification_ids, viewer_ids))
        if self._pid != os.getpid():  # threads do not survive a fork
            self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        threading.Thread(target=self._run, name="insight-tally", daemon=True).start()

    def _run(self) -> None:
        was_away = False
        while True:
            time.sleep(INTERVAL_SECONDS)
            try:
                self.tell()
                was_away = False
            except redis.RedisError as error:
                if not was_away:
                    logger.warning("Viewers are counted later, Redis does not answer: %s", error)
                was_away = True
            except Exception:
                logger.exception("Viewers could not be counted")

    def tell(self) -> None:
        """Tell Redis what was noted so far. Raises `redis.RedisError`; then it waits for the next time."""
        with self._telling:
            self._gather()
            if not self._waiting:
                return
            sketches.add(self._waiting)
            for name, viewers in self._waiting.items():
                metrics.counted.labels(stage=name.stage).inc(len(viewers))
            self._waiting.clear()

    def _gather(self) -> None:
        """Sort what was noted by sketch, each viewer once. Of a crowd, many have got the same notifications at once."""
        lots: dict[tuple[Stage, tuple[int, ...]], set[int]] = defaultdict(set)
        while self._noted:
            stage, notification_ids, viewer_ids = self._noted.popleft()
            lots[stage, notification_ids].update(viewer_ids)
        held = sum(map(len, self._waiting.values()))
        for (stage, notification_ids), counted in lots.items():
            for name in (Name(pk, included) for pk in notification_ids for included in _INCLUDED[stage]):
                viewers = self._waiting[name]
                before = len(viewers)
                if held < MOST_WAITING:
                    viewers |= counted
                else:
                    metrics.lost.inc(len(counted - viewers))
                held += len(viewers) - before


tally = Tally()


@atexit.register
def _tell_the_rest() -> None:
    """A process that ends in good order leaves nothing behind."""
    try:
        tally.tell()
    except redis.RedisError as error:
        logger.warning("The last viewers were not counted: %s", error)
