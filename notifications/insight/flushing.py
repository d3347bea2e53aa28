"""From Redis to PostgreSQL: what is stored only ever grows, whatever happens to Redis or to whoever flushes."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, transaction

from notifications import sql

from . import metrics, sketches
from .models import Reach, Stage
from .sketches import Name, Sketch

SKETCHES_AT_ONCE = 100  # of 12 KiB at most

_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('notifications.insight.flush'))"


def flush() -> int:
    """Store every sketch that has changed; how many there were. One process at a time does it, others leave at once.

    Killed anywhere, it has either stored a sketch or left it marked as changed, and storing it again changes nothing.
    Raises `redis.RedisError`.
    """
    count = 0
    while changes := sketches.changed(SKETCHES_AT_ONCE):
        if not _store(changes):
            break
        sketches.forget(changes)
        count += len(changes)
        if len(changes) < SKETCHES_AT_ONCE:
            break
    metrics.flushed.inc(count)
    return count


@transaction.atomic
def _store(changes: Iterable[str]) -> bool:
    """Merge these sketches with what is stored of them. False when somebody else is at it."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
        if not cursor.fetchone()[0]:
            return False
        names = [Name.parse(change) for change in changes]
        # The union: an emptied Redis, or one that was set back, begins again from what was stored.
        _write(sketches.read(names, _stored(names)))
    return True


def _stored(names: Iterable[Name]) -> dict[Name, bytes]:
    ids = {name.notification_id for name in names}
    rows = Reach.objects.filter(notification_id__in=ids, sketch__isnull=False)
    return {
        Name(notification_id, Stage(stage)): bytes(sketch or b"")
        for notification_id, stage, sketch in rows.values_list("notification_id", "stage", "sketch")
    }


def _write(found: Mapping[Name, Sketch]) -> None:
    """One statement, however many."""
    bound: dict[str, Any] = {
        "notifications": [name.notification_id for name in found],
        "stages": [str(name.stage) for name in found],
        "viewers": [sketch.viewers for sketch in found.values()],
        "sketches": [sketch.content for sketch in found.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.load("store_reach"), bound)
