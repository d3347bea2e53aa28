"""What notifications forget: postings and cards older than `NOTIFICATION_RETENTION`, in batches, each one transaction.

A process that is killed between two of them has done no harm: the next run goes on where it was.
"""

import time
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction

from accounts.clock import database_now

from . import sql
from .models import Topic

TOPICS_AT_ONCE = 50
POSTINGS_AT_ONCE = 500  # of one topic
NOTIFICATIONS_AT_ONCE = 200
ITEMS_AT_ONCE = 5_000
RUN_SECONDS = 20.0  # the beat comes again

logger = structlog.get_logger(__name__)


def forgets_before() -> datetime:
    """What is older than this is forgotten."""
    return database_now() - settings.NOTIFICATION_RETENTION


def forget_old() -> int:
    """Forget postings, and then notifications that stand nowhere any more; how many of both.

    Stops after a while and is to be called again. Safe to run twice at once, and while there is posting.
    """
    cutoff, until, forgotten = forgets_before(), time.monotonic() + RUN_SECONDS, 0
    for forget in (forget_postings, forget_notifications):
        while time.monotonic() < until and (done := forget(before=cutoff)):
            forgotten += done
    if forgotten:
        logger.info("notifications_forgotten", rows=forgotten, before=cutoff.isoformat())
    return forgotten


@transaction.atomic
def forget_postings(*, before: datetime) -> int:
    """Move the tails of some topics over postings that are older, and delete these; by how many seqs the tails moved.

    Topics are locked in the order of their names, as posting does. What still turns in some region stays where it is,
    since it will be posted anew to the same topics.
    """
    due = Topic.objects.select_for_update(no_key=True).filter(oldest_at__lt=before).order_by("name")
    topics = [topic.pk for topic in due[:TOPICS_AT_ONCE]]
    return _run("forget_postings", topics=topics, before=before, limit=POSTINGS_AT_ONCE) if topics else 0


def forget_notifications(*, before: datetime) -> int:
    """Delete some notifications that were published earlier and stand above no tail, with all that hangs on them.

    Viewers' read items, which can be millions, go first, by themselves: they say nothing of a card that nobody has.
    """
    due = _pick(before)
    while due and _run("forget_items", notifications=due, limit=ITEMS_AT_ONCE):
        pass
    return _delete(due, before) if due else 0


@transaction.atomic
def _pick(before: datetime) -> list[int]:
    return _ids("forgettable", before=before, limit=NOTIFICATIONS_AT_ONCE, among=None)


@transaction.atomic
def _delete(notifications: list[int], before: datetime) -> int:
    """Delete those that are still to go once their rows are locked: one may have been posted anew meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM notifications_notification WHERE id = ANY (%s) ORDER BY id FOR UPDATE", [notifications]
        )
    due = _ids("forgettable", before=before, limit=None, among=notifications)
    return _run("forget_notifications", notifications=due)


def _ids(statement: str, **parameters: Any) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql.load(statement), parameters)
        return [row[0] for row in cursor.fetchall()]


def _run(statement: str, **parameters: Any) -> int:
    """Run `sql/<statement>.sql`, which answers one number."""
    return _ids(statement, **parameters)[0]
