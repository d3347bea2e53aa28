"""The stream engine that stands on PostgreSQL: an append joins the caller's transaction, so it can be fenced in it."""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

from broker.messages import Message, to_text
from broker.models import StreamMessage, StreamPartition

from .base import Entry

# The head's row is locked until the transaction ends, so offsets become visible in order and without holes.
_APPEND = """
    WITH head AS (
        INSERT INTO broker_streampartition (stream, partition, next_offset, first_offset)
        VALUES (%(stream)s, %(partition)s, %(count)s, 0)
        ON CONFLICT (stream, partition)
        DO UPDATE SET next_offset = broker_streampartition.next_offset + EXCLUDED.next_offset
        RETURNING next_offset - %(count)s AS first
    )
    INSERT INTO broker_streammessage (stream, partition, "offset", position, body)
    SELECT %(stream)s, %(partition)s, head.first + entry.number - 1, entry.position, entry.body::jsonb
    FROM head, unnest(%(positions)s::bigint[], %(bodies)s::text[]) WITH ORDINALITY AS entry (position, body, number)
    RETURNING "offset"
"""
_READ = """
    SELECT "offset", position, body FROM broker_streammessage
    WHERE stream = %s AND partition = %s AND "offset" >= %s ORDER BY "offset" LIMIT %s
"""


class PostgresStreams:
    """A row an entry; a row a partition for its head."""

    def append(self, stream: str, partition: int, messages: Sequence[Message]) -> list[int]:
        values: dict[str, Any] = {
            "stream": stream,
            "partition": partition,
            "count": len(messages),
            "positions": [message.position for message in messages],
            "bodies": [to_text(message) for message in messages],
        }
        with connection.cursor() as cursor:
            cursor.execute(_APPEND, values)
            return sorted(offset for (offset,) in cursor.fetchall())

    def read(self, stream: str, partition: int, from_offset: int, *, limit: int) -> list[Entry]:
        with connection.cursor() as cursor:
            cursor.execute(_READ, [stream, partition, from_offset, limit])
            return [Entry(offset, position, json.loads(body)) for offset, position, body in cursor.fetchall()]

    def end(self, stream: str, partition: int) -> int:
        heads = StreamPartition.objects.filter(stream=stream, partition=partition)
        return heads.values_list("next_offset", flat=True).first() or 0

    def trim(self, stream: str, partition: int, before_offset: int) -> int:
        before = min(before_offset, self.end(stream, partition))
        entries = StreamMessage.objects.filter(stream=stream, partition=partition, offset__lt=before)
        count = entries.delete()[0]
        StreamPartition.objects.filter(stream=stream, partition=partition, first_offset__lt=before).update(
            first_offset=before
        )
        return count
