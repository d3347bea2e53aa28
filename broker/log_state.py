"""What the relay knows of logs outside of PostgreSQL, so that it notices when a server has lost what it had.

A server may be emptied, restored from a backup, or killed with its last second in memory alone. Then what no group has
handled yet is relayed again from the outbox, which keeps what was relayed for a day; what groups have handled stands at
or below their watermarks, and is skipped.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from django.db import connection

from . import leases
from .messages import Message
from .models import LogState
from .streams import StreamEngine, engine

logger = structlog.get_logger(__name__)

_RECORD = """
    INSERT INTO broker_logstate (stream, partition, "end", position)
    SELECT stream, partition, 0, position FROM unnest(%s::text[], %s::int[], %s::bigint[])
        AS appended (stream, partition, position)
    ON CONFLICT (stream, partition)
    DO UPDATE SET position = greatest(broker_logstate.position, EXCLUDED.position)
"""
_RELAY_AGAIN = """
    UPDATE broker_outboxmessage SET relayed_at = NULL
    WHERE relayed_at IS NOT NULL AND position <= %(position)s AND position > (
        SELECT min(watermark) FROM broker_grouppartition WHERE stream = %(stream)s AND partition = %(partition)s
    )
"""
# Where something new stands already, groups must not read it before what is relayed again: they go on behind it.
_GO_ON = """
    UPDATE broker_grouppartition
    SET next_offset = CASE WHEN %(has_new)s THEN %(end)s ELSE least(next_offset, %(end)s) END,
        owner = '', generation = generation + 1, singly_until = 0
    WHERE stream = %(stream)s AND partition = %(partition)s
"""


def record(entries: Mapping[tuple[str, int], Sequence[Message]]) -> None:
    """Note the last position that was appended to each log; to be committed with the mark of what was relayed."""
    if not entries:
        return
    logs = list(entries)
    positions = [messages[-1].position for messages in entries.values()]
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [[stream for stream, _ in logs], [partition for _, partition in logs], positions])


def verify(*, lease: str, generation: int) -> None:
    """Compare every log with what is known of it, and make up for what one has lost. Raises `LeaseLost`."""
    for known in LogState.objects.order_by("stream", "partition"):
        end = engine().end(known.stream, known.partition)
        has_all = _last_position(engine(), known, end) >= known.position
        if end < known.end or not has_all:
            make_up(known.stream, known.partition, has_new=has_all, lease=lease, generation=generation)
        else:
            LogState.objects.filter(stream=known.stream, partition=known.partition).update(end=end)


def make_up(stream: str, partition: int, *, has_new: bool, lease: str, generation: int) -> None:
    """Relay again what no group has handled of a log that was cut short. Raises `LeaseLost`.

    `has_new` says whether messages stand in it already that were published after those that it lost.
    """
    end = engine().end(stream, partition)
    with leases.fenced(lease, generation=generation):
        known = LogState.objects.select_for_update().filter(stream=stream, partition=partition).first()
        position = known.position if known else 0
        values: dict[str, Any] = {"stream": stream, "partition": partition, "position": position}
        values |= {"end": end, "has_new": has_new}
        with connection.cursor() as cursor:
            cursor.execute(_RELAY_AGAIN, values)
            again = cursor.rowcount
            cursor.execute(_GO_ON, values)
        LogState.objects.filter(stream=stream, partition=partition).update(end=end, position=0)
    logger.warning("log_cut_short", stream=stream, partition=partition, end=end, relayed_again=again)


def _last_position(streams: StreamEngine, known: LogState, end: int) -> int:
    entries = streams.read(known.stream, known.partition, end - 1, limit=1) if end and known.position else []
    return entries[-1].position if entries else 0
