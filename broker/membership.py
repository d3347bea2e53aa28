"""Who is in a consumer group, and which partitions each member owns; the same for every stream engine."""

import time
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from .errors import LeaseLost
from .progress import Progress
from .streams import engine_name
from .topology import Group, Stream

logger = structlog.get_logger(__name__)

FORGET_SECONDS = 60.0  # a member that was silent for so long is taken off the list

_PREPARE = """
    INSERT INTO broker_grouppartition ("group", stream, partition, owner, generation, lease_expires_at, next_offset,
        watermark, attempts, last_error, expired_count, paused, singly_until, engine)
    SELECT %(group)s, %(stream)s, number, '', 0, now(), 0, 0, 0, '', 0,
        coalesce((SELECT bool_or(paused) FROM broker_grouppartition WHERE "group" = %(group)s), false), 0, %(engine)s
    FROM generate_series(0, %(partitions)s - 1) AS number
    WHERE NOT EXISTS (SELECT FROM broker_grouppartition WHERE "group" = %(group)s AND stream = %(stream)s)
    ON CONFLICT DO NOTHING
"""
_JOIN = """
    INSERT INTO broker_groupmember ("group", member, seen_at) VALUES (%(group)s, %(member)s, now())
    ON CONFLICT ("group", member) DO UPDATE SET seen_at = now()
"""
_LEAVE = """
    DELETE FROM broker_groupmember
    WHERE "group" = %(group)s AND (member = %(member)s OR seen_at < now() - make_interval(secs => %(forget)s))
"""
_LOOK = """
    SELECT partition, generation, owner, ARRAY(
        SELECT member FROM broker_groupmember
        WHERE "group" = %(group)s AND seen_at > now() - make_interval(secs => %(lease)s) ORDER BY member
    )
    FROM broker_grouppartition WHERE "group" = %(group)s AND stream = %(stream)s
"""
# A partition that is mine in the table but not in memory (the connection was lost) is taken anew, like a free one.
# The free ones are looked for once: a plan that did it for each partition would take more than `count`.
_ACQUIRE = """
    WITH free AS MATERIALIZED (
        SELECT partition, owner FROM broker_grouppartition
        WHERE "group" = %(group)s AND stream = %(stream)s AND partition <> ALL(%(held)s::int[])
            AND (owner IN ('', %(member)s) OR lease_expires_at <= now()) AND NOT paused
            AND engine = %(engine)s
        ORDER BY partition LIMIT %(count)s FOR UPDATE SKIP LOCKED
    )
    UPDATE broker_grouppartition AS mine
    SET owner = %(member)s, generation = generation + 1, lease_expires_at = now() + make_interval(secs => %(lease)s)
    FROM free
    WHERE mine."group" = %(group)s AND mine.stream = %(stream)s AND mine.partition = free.partition
    RETURNING mine.partition, generation, next_offset, watermark, attempts, singly_until,
        greatest(extract(epoch FROM next_attempt_at - now()), 0)::float8, free.owner NOT IN ('', %(member)s)
"""
_RELEASE = """
    UPDATE broker_grouppartition SET owner = ''
    WHERE "group" = %(group)s AND stream = %(stream)s AND partition = %(partition)s AND generation = %(generation)s
"""
# All that a process holds, in one statement. What it lost carries another owner by now.
_RENEW = """
    WITH relay AS (
        UPDATE broker_lease SET expires_at = now() + make_interval(secs => %(lease)s) WHERE owner = %(member)s
    ), memberships AS (
        UPDATE broker_groupmember SET seen_at = now() WHERE member = %(member)s
    )
    UPDATE broker_grouppartition SET lease_expires_at = now() + make_interval(secs => %(lease)s)
    WHERE owner = %(member)s
"""


def prepare(group: Group, stream: Stream) -> None:
    """Make the rows of a new group's partitions; later ones come by `broker_move` alone, which keeps the order."""
    values: dict[str, Any] = {
        "group": group.name,
        "stream": stream.name,
        "partitions": stream.partitions,
        "engine": engine_name(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PREPARE, values)


def renew(*, member: str) -> None:
    """Renew every lease and membership of a process; to be called well within `BROKER_LEASE_SECONDS`."""
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, {"member": member, "lease": settings.BROKER_LEASE_SECONDS})


class Membership:
    """One process in one group, with the partitions that it owns."""

    def __init__(self, group: Group, stream: Stream, *, member: str) -> None:
        self.group, self.stream, self.member = group, stream, member
        self.owned: dict[int, Progress] = {}
        self._names: dict[str, Any] = {"group": group.name, "stream": stream.name, "member": member}

    def join(self) -> None:
        """Start, or start again after the connection was lost: with nothing in memory that may be out of date."""
        self.owned.clear()
        prepare(self.group, self.stream)

    def leave(self) -> None:
        """Hand everything over to the others, at once."""
        for progress in list(self.owned.values()):
            self._release(progress)
        self._execute(_LEAVE, forget=FORGET_SECONDS)

    def rebalance(self) -> None:
        """Take or give partitions until this member has its fair share of them, and notice what it lost."""
        self._execute(_JOIN)
        rows = self._execute(_LOOK, lease=settings.BROKER_LEASE_SECONDS)
        mine = {(partition, generation) for partition, generation, owner, _ in rows if owner == self.member}
        for progress in list(self.owned.values()):
            if (progress.partition, progress.generation) not in mine:
                self.forget(progress)
        members = rows[0][3]
        share = _share(len(rows), len(members), members.index(self.member))
        for progress in list(self.owned.values())[share:]:
            self._release(progress)
        if share > len(self.owned):
            self._acquire(share - len(self.owned))

    def forget(self, progress: Progress) -> None:
        """Drop a partition that somebody else owns by now."""
        logger.warning("partition_lost", group=self.group.name, partition=progress.partition)
        self.owned.pop(progress.partition, None)

    def _acquire(self, count: int) -> None:
        values = {
            "held": list(self.owned),
            "count": count,
            "lease": settings.BROKER_LEASE_SECONDS,
            "engine": engine_name(),
        }
        for row in self._execute(_ACQUIRE, **values):
            partition, generation, next_offset, watermark, attempts, singly_until, wait, is_taken_over = row
            self.owned[partition] = Progress(
                group=self.group.name,
                stream=self.stream.name,
                partition=partition,
                generation=generation,
                next_offset=next_offset,
                watermark=watermark,
                attempts=attempts,
                singly_until=singly_until,
                retry_at=time.monotonic() + (wait or 0),
                is_taken_over=is_taken_over,
            )
            logger.info("partition_acquired", group=self.group.name, partition=partition, offset=next_offset)

    def _release(self, progress: Progress) -> None:
        try:
            progress.flush()
        except LeaseLost:
            self.forget(progress)
        else:
            self._execute(_RELEASE, partition=progress.partition, generation=progress.generation)
            del self.owned[progress.partition]

    def _execute(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, {**self._names, **values})
            return cursor.fetchall() if cursor.description else []


def _share(partitions: int, members: int, rank: int) -> int:
    """How many partitions the member at `rank` may own: shares differ by one at most and add up to all."""
    return partitions // members + (1 if rank < partitions % members else 0)
