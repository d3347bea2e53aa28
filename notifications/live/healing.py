"""Reading from PostgreSQL what no hint told of."""

import asyncio
import json
import logging
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection

from notifications import sql
from notifications.models import Notification

from . import metrics
from .hub import Hub
from .order import Hole
from .posted import Posted, describe
from .threads import in_thread

GRACE_SECONDS = 0.1  # hints of two workers may overtake each other by this much
SEQS_AT_ONCE = 200

logger = logging.getLogger(__name__)


def read_postings(holes: Sequence[Hole]) -> list[Posted]:
    """What was posted in these holes, in posting order, each with all its places."""
    ranges = [{"topic": hole.topic, "low": hole.low, "high": hole.high} for hole in holes]
    with connection.cursor() as cursor:
        cursor.execute(sql.load("postings_in"), {"ranges": json.dumps(ranges)})
        return _describe(cursor.fetchall())


def read_revisions(revisions: Collection[tuple[int, int]]) -> dict[tuple[int, int], Posted]:
    """(notification, revision) → what was posted then, with all its places. Two queries, or none for none."""
    if not revisions:
        return {}
    wanted = {"notifications": [pk for pk, _ in revisions], "revisions": [revision for _, revision in revisions]}
    with connection.cursor() as cursor:
        cursor.execute(sql.load("revisions"), wanted)
        return {(posted.notification, posted.revision): posted for posted in _describe(cursor.fetchall())}


def _describe(rows: Sequence[tuple[int, int, datetime, list[str] | None, str]]) -> list[Posted]:
    notifications = Notification.objects.in_bulk({row[0] for row in rows})
    return [
        describe(
            notifications[pk],
            revision=revision,
            posted_at=posted_at,
            concerns=concerns,
            positions=json.loads(positions),
        )
        for pk, revision, posted_at, concerns, positions in rows
        if pk in notifications
    ]


async def heal(hub: Hub, holes: Sequence[Hole]) -> bool:
    """Fill these holes, a bounded part of each; what the database does not have (any more) is passed over.

    False when none has moved: they wait for something else, such as a topic whose place is being read right now.
    """
    before = [hub.sequencer.head(hole.topic) for hole in holes]
    parts = [Hole(hole.topic, hole.low, min(hole.high, hole.low + SEQS_AT_ONCE - 1)) for hole in holes]
    for posted in await in_thread(read_postings, parts):
        if hub.accept(posted):
            metrics.healed.inc()
    for part in parts:
        hub.give_up(part)
    return before != [hub.sequencer.head(hole.topic) for hole in holes]


class Healer:
    """Watches for holes in what the hub has accepted. A hole has a moment to close by itself."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._noticed = asyncio.Event()

    def look(self) -> None:
        """Call after something was accepted: it may be waiting for what was lost."""
        if self._hub.sequencer.is_waiting():
            self._noticed.set()

    async def run(self) -> None:
        """Heal holes as they are noticed, for ever. While the database is away, the tick notices them again."""
        while True:
            await self._noticed.wait()
            await asyncio.sleep(GRACE_SECONDS)
            self._noticed.clear()
            try:
                while (holes := self._hub.sequencer.holes()) and await heal(self._hub, holes):
                    pass
            except Exception:
                logger.warning("Holes could not be healed; the next tick tries again", exc_info=True)
