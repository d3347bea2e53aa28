"""Move streams to another engine, or to another number of partitions, while publishers and groups go on.

The relay begins nothing new; the groups handle what is left; then, in one transaction that takes the relay's lease and
every partition away from their owners, the groups stand at the end of the new logs. What is published meanwhile waits
in the outbox. Processes with the old settings notice, and end with `MustMove`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from .current import current_topology, partitions_of
from .errors import NotDrained
from .models import GroupPartition, LogState, OutboxMessage
from .relay import LEASE
from .streams import StreamEngine, engine, engine_at, name_of
from .topology import Group

PAUSE_SECONDS = 5.0
LOOK_SECONDS = 0.2

_PAUSE = "UPDATE broker_lease SET paused_until = now() + make_interval(secs => %s) WHERE name = %s"
_GO_ON = "UPDATE broker_lease SET paused_until = NULL WHERE name = %s"
_SEIZE = "UPDATE broker_lease SET generation = generation + 1, owner = '', expires_at = now() WHERE name = %s"
_PLACE = """
    INSERT INTO broker_grouppartition AS place ("group", stream, partition, owner, generation, lease_expires_at,
        next_offset, watermark, attempts, last_error, expired_count, paused, singly_until, engine)
    SELECT %(group)s, %(stream)s, number - 1, '', 1, now(), next_offset, 0, 0, '', 0,
        coalesce((SELECT bool_or(paused) FROM broker_grouppartition WHERE "group" = %(group)s), false), 0, %(engine)s
    FROM unnest(%(ends)s::bigint[]) WITH ORDINALITY AS log (next_offset, number)
    ON CONFLICT ("group", stream, partition) DO UPDATE
    SET next_offset = EXCLUDED.next_offset, engine = EXCLUDED.engine, generation = place.generation + 1, owner = '',
        singly_until = 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a group has still to handle in one partition."""

    group: str
    stream: str
    partition: int
    entries: int


def move(*, to: str, seconds: float, on_wait: Callable[[Sequence[Waiting]], None] = lambda _: None) -> None:
    """Let every group drain, and go on in the engine at the address `to` with the topology's partitions.

    To be called with the settings of the old engine; `to` may be its own address. `on_wait` is told what is left, now
    and then. Raises `NotDrained` after `seconds`: nothing was changed then.
    """
    target = engine_at(to)
    deadline = time.monotonic() + seconds
    try:
        while True:
            _execute(_PAUSE, [PAUSE_SECONDS, LEASE])
            left = waiting()
            if not left and _switch(target, name_of(to)):
                return
            if time.monotonic() > deadline:
                raise NotDrained([f"{each.group}: {each.stream}/{each.partition}, {each.entries}" for each in left])
            on_wait(left)
            time.sleep(LOOK_SECONDS)
    finally:
        _execute(_GO_ON, [LEASE])


def waiting() -> list[Waiting]:
    """What the topology's groups have still to handle in the present engine; a group that never ran, everything."""
    found = []
    for group in current_topology().groups:
        rows = GroupPartition.objects.filter(group=group.name, stream=group.stream)
        places = dict(rows.values_list("partition", "next_offset"))
        for partition in places or range(partitions_of(group.stream)):
            offset = places.get(partition, 0)
            if engine().read(group.stream, partition, offset, limit=1):
                entries = engine().end(group.stream, partition) - offset
                found.append(Waiting(group=group.name, stream=group.stream, partition=partition, entries=entries))
    return sorted(found, key=lambda each: (each.group, each.partition))


def _switch(target: StreamEngine, name: str) -> bool:
    """Put every group at the end of its new logs; False when something came in between."""
    ends = {
        stream.name: [target.end(stream.name, partition) for partition in range(stream.partitions)]
        for stream in current_topology().streams
    }
    with transaction.atomic():
        _execute(_SEIZE, [LEASE])  # and wait for a relay that is about to commit
        list(GroupPartition.objects.select_for_update().order_by("group", "stream", "partition"))
        if OutboxMessage.objects.filter(relayed_at=None, position__isnull=False).exists() or waiting():
            transaction.set_rollback(True)
            return False
        for group in current_topology().groups:
            _put(group, ends[group.stream], name)
        LogState.objects.all().delete()
    return True


def _put(group: Group, ends: Sequence[int], name: str) -> None:
    stream = group.stream
    GroupPartition.objects.filter(group=group.name, stream=stream, partition__gte=len(ends)).delete()
    values: dict[str, Any] = {"group": group.name, "stream": stream, "ends": list(ends), "engine": name}
    _execute(_PLACE, values)


def _execute(statement: str, values: list[Any] | dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
