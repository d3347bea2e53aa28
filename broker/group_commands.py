"""What an operator does with a consumer group: pause, resume, and reset to another place in its stream.

Each takes the partitions from their owners by a new generation, in the transaction that changes the row. So what is
being handled at that moment is not committed under the old state; the owners notice at their next look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from . import audit, offsets
from .current import group_named, stream_named
from .membership import prepare
from .models import GroupPartition
from .offsets import Place, Target

_SET_PAUSED = """
    UPDATE broker_grouppartition SET paused = %(paused)s, owner = '', generation = generation + 1
    WHERE "group" = %(group)s AND paused <> %(paused)s
"""
_LOCK = """
    SELECT partition, next_offset, watermark FROM broker_grouppartition
    WHERE "group" = %(group)s AND stream = %(stream)s AND partition < %(partitions)s ORDER BY partition FOR UPDATE
"""
_MOVE = """
    UPDATE broker_grouppartition AS place
    SET next_offset = target.next_offset, watermark = target.watermark, owner = '', generation = generation + 1,
        attempts = 0, next_attempt_at = NULL, last_error = '', singly_until = 0
    FROM unnest(%(partitions)s::int[], %(offsets)s::bigint[], %(watermarks)s::bigint[])
        AS target (partition, next_offset, watermark)
    WHERE place."group" = %(group)s AND place.stream = %(stream)s AND place.partition = target.partition
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where a reset takes a partition of a group."""

    partition: int
    before: int
    after: int

    @property
    def again(self) -> int:
        """How many offsets will be read again."""
        return max(0, self.before - self.after)

    @property
    def skipped(self) -> int:
        """How many offsets will never be read."""
        return max(0, self.after - self.before)


def pause(*, group: str, actor: str, dry_run: bool = False) -> bool:
    """Let nobody handle the group's messages until `resume`; False when it was paused already. Raises `UnknownName`."""
    return _set_paused(group, paused=True, actor=actor, dry_run=dry_run)


def resume(*, group: str, actor: str, dry_run: bool = False) -> bool:
    """Go on where `pause` stopped; False when it was not paused. Raises `UnknownName`."""
    return _set_paused(group, paused=False, actor=actor, dry_run=dry_run)


def reset(*, group: str, target: Target, actor: str, partition: int | None = None, dry_run: bool = False) -> list[Move]:
    """Let the group go on elsewhere, in one partition or in all; returns what moved, or would move.

    Backwards, it handles messages again: those at or after the target, whatever it handled before. Raises
    `UnknownName`, and `InvalidTarget` for a partition or an offset that there is not.
    """
    found = group_named(group)
    stream = stream_named(found.stream)
    offsets.check_partition(stream, partition)
    prepare(found, stream)
    with transaction.atomic():
        names = {"group": group, "stream": stream.name, "partitions": stream.partitions}
        rows = [row for row in _execute(_LOCK, names) if partition in (None, row[0])]
        places = {
            number: offsets.place_at(
                stream.name, number, offsets.find(stream.name, number, target), watermark=watermark
            )
            for number, _, watermark in rows
        }
        moves = [Move(partition=number, before=before, after=places[number].offset) for number, before, _ in rows]
        if not dry_run:
            _move(group, stream.name, places)
            audit.note(actor=actor, verb="reset", target=f"group:{group}", **_told(target, moves))
    return moves


def _set_paused(group: str, *, paused: bool, actor: str, dry_run: bool) -> bool:
    found = group_named(group)
    prepare(found, stream_named(found.stream))
    if dry_run:
        return GroupPartition.objects.filter(group=group).exclude(paused=paused).exists()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_SET_PAUSED, {"group": group, "paused": paused})
            has_changed = bool(cursor.rowcount)
        if has_changed:
            audit.note(actor=actor, verb="pause" if paused else "resume", target=f"group:{group}")
    return has_changed


def _move(group: str, stream: str, places: dict[int, Place]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE,
            {
                "group": group,
                "stream": stream,
                "partitions": list(places),
                "offsets": [place.offset for place in places.values()],
                "watermarks": [place.watermark for place in places.values()],
            },
        )


def _told(target: Target, moves: Sequence[Move]) -> dict[str, Any]:
    return {
        "before": {str(move.partition): move.before for move in moves},
        "after": {str(move.partition): move.after for move in moves} | {"target": str(target)},
    }


def _execute(statement: str, values: dict[str, Any]) -> list[tuple[int, int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[int, int, int]] = cursor.fetchall()
    return rows
