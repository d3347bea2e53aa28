"""The stream engine that stands on PostgreSQL: an append joins the caller's transaction, so it can be fenced in it."""

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from broker.arrays import array
from broker.messages import Message, parse, to_text
from broker.models import StreamMessage, StreamPartition

from .base import Entry, Features, OutboxRow

# The head's row is locked until the transaction ends, so offsets become visible in order and without holes.
_GROW = """
    INSERT INTO broker_streampartition AS head (stream, partition, next_offset, first_offset)
    VALUES (%(stream)s, %(partition)s, %(count)s, 0)
    ON CONFLICT (stream, partition) DO UPDATE SET next_offset = head.next_offset + EXCLUDED.next_offset
    RETURNING next_offset - %(count)s AS first
"""
_COPY = 'COPY broker_streammessage (stream, partition, "offset", position, body) FROM STDIN'
_TAKE = sql.SQL("""
    WITH log AS ({grow})
    INSERT INTO broker_streammessage (stream, partition, "offset", position, body)
    SELECT %(stream)s, %(partition)s, log.first + place.number - 1, place.position, message.body
    FROM log, unnest(%(ids)s::bigint[], %(positions)s::bigint[]) WITH ORDINALITY AS place (id, position, number)
    JOIN broker_outboxmessage AS message ON message.id = place.id
""").format(grow=sql.SQL(_GROW))
_READ = """
    SELECT "offset", position, body FROM broker_streammessage
    WHERE stream = %s AND partition = %s AND "offset" >= %s ORDER BY "offset" LIMIT %s
"""


class PostgresStreams:
    """A row an entry; a row a partition for its head."""

    joins_transaction = True
    features = Features(
        trims=True,
        retention="nothing",
        tools="SQL, and the console",
        limits="One database carries everything: its disk and its one primary are the ceiling",
    )

    def append(self, stream: str, partition: int, messages: Sequence[Message]) -> None:
        with transaction.atomic(savepoint=False), connection.cursor() as cursor:
            cursor.execute(_GROW, {"stream": stream, "partition": partition, "count": len(messages)})
            first = cursor.fetchone()[0]
            # Django translates the errors of the driver's own methods only where it is asked to.
            with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
                for offset, message in enumerate(messages, first):
                    copy.write_row((stream, partition, offset, message.position, to_text(message)))

    def take(self, stream: str, partition: int, rows: Sequence[OutboxRow]) -> None:
        values: dict[str, Any] = {"stream": stream, "partition": partition, "count": len(rows)}
        values |= {"ids": array(row.id for row in rows), "positions": array(row.position for row in rows)}
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, values)

    def read(self, stream: str, partition: int, from_offset: int, *, limit: int) -> list[Entry]:
        with connection.cursor() as cursor:
            cursor.execute(_READ, [stream, partition, from_offset, limit])
            return [_entry(*row) for row in cursor.fetchall()]

    def end(self, stream: str, partition: int) -> int:
        heads = StreamPartition.objects.filter(stream=stream, partition=partition)
        return heads.values_list("next_offset", flat=True).first() or 0

    def trim(self, stream: str, partition: int, before_offset: int) -> int:
        before = min(before_offset, self.end(stream, partition))
        heads = StreamPartition.objects.filter(stream=stream, partition=partition)
        first = heads.values_list("first_offset", flat=True).first() or 0  # so that no trimmed row is looked at again
        entries = StreamMessage.objects.filter(stream=stream, partition=partition, offset__range=(first, before - 1))
        count = entries.delete()[0]
        StreamPartition.objects.filter(stream=stream, partition=partition, first_offset__lt=before).update(
            first_offset=before
        )
        return count


def _entry(offset: int, position: int, text: str) -> Entry:
    body = parse(text)
    body["position"] = position  # what was taken from the outbox has none of its own
    return Entry(offset, position, body)
