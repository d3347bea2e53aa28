"""From a posting to deliveries: one cheap look for shards of viewers, then one statement a shard."""

from functools import cache
from itertools import pairwise
from typing import Any

from django.db import connection, transaction

from broker.messages import Message
from broker.outbox import publish
from notifications import sql
from notifications.models import KIDS_MAX_MATURITY, Notification

from .events import deliveries_created, deliveries_wanted
from .models import Lane

SHARD = 50_000  # subscriptions: about a quarter of a second of one statement
SHARD_MEMORY = "64MB"  # in which a shard is sorted without a file
END = 2**62  # above every viewer's id
_THERE_ALREADY = """
    SELECT EXISTS (
        SELECT FROM notifications_delivery
        WHERE notification_id = %(notification)s AND viewer_id >= %(first)s AND viewer_id < %(last)s
    )
"""

# Where shards begin. For an average topic it may look cheaper to collect all followers at each step, and to sort them.
_ALONG_THE_INDEX = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL jit = off"

# How to come by what belongs to a shard's followers: memberships, endpoints, preferences. Left to itself the planner
# does what suits an average topic, which takes a dozen followers among all users ten times as long, and a full shard a
# quarter longer.
_READ_ALL_VIEWERS = "SET LOCAL enable_nestloop = off; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on"
_LOOK_UP_EACH_FOLLOWER = (
    "SET LOCAL enable_nestloop = on; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
)


@transaction.atomic
def plan(*, notification_id: int, cause: Message | None = None) -> int:
    """Ask for the deliveries of a notification, shard by shard; how many shards that are."""
    notification = Notification.objects.filter(pk=notification_id).first()
    if notification is None or notification.recalled:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_ALONG_THE_INDEX)
        cursor.execute(sql.load("shards"), {"notification": notification_id, "size": SHARD})
        bounds = [viewer_id for (viewer_id,) in cursor.fetchall()]
    shards = [(first, last) for first, last in pairwise(bounds) if first < last]
    for first, last in shards:
        message = deliveries_wanted(notification, first=first, last=last)
        publish(message.caused_by(cause) if cause else message)
    return len(shards)


@transaction.atomic
def create(*, notification_id: int, lane: int, first: int, last: int, cause: Message | None = None) -> int:
    """Make the deliveries of the viewers [first, last), those alone that are missing; how many were.

    Of two that make the first ones at once, one fails, and finds them there when it is tried again.
    """
    bound: dict[str, Any] = {
        "notification": notification_id,
        "lane": lane,
        "live_lane": Lane.LIVE,
        "digest_lane": Lane.DIGEST,
        "first": first,
        "last": last,
        "zones": time_zones(),
        "kids_max_maturity": KIDS_MAX_MATURITY,
    }
    with connection.cursor() as cursor:
        # What a crash of the server forgets is made again, as the end of the work item is forgotten with it. (To
        # PostgreSQL before 18 joins that are switched off look so dear that it would compile the statement.)
        cursor.execute(
            f"SET LOCAL work_mem = '{SHARD_MEMORY}'; SET LOCAL jit = off; SET LOCAL synchronous_commit = off"
        )
        cursor.execute(sql.load("lock_capped"), {"first": first, "last": last})
        cursor.execute(_THERE_ALREADY, bound)
        # Where none is there yet, PostgreSQL need not look for each: that saves a fifth.
        careful = " ON CONFLICT DO NOTHING" if cursor.fetchone()[0] else ""
        cursor.execute(sql.load("are_many"), bound)
        cursor.execute(_READ_ALL_VIEWERS if cursor.fetchone()[0] else _LOOK_UP_EACH_FOLLOWER)
        cursor.execute(sql.load("create_deliveries") + careful, bound)
        count: int = cursor.rowcount
    if count:
        message = deliveries_created(notification_id=notification_id, first=first, count=count)
        publish(message.caused_by(cause) if cause else message)
    return count


@cache
def time_zones() -> list[str]:
    """The zones that the database knows: of one that it does not, a viewer's clocks show UTC."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_timezone_names ORDER BY name")
        return [name for (name,) in cursor.fetchall()]
