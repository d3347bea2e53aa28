"""Databases of the benchmark's own on the server that `DATABASE_URL` names, and what fills them, set-based."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from django.core.management import call_command
from django.db import connection, transaction
from psycopg import sql

from broker import membership
from broker.outbox import publish

from . import bare_outbox
from .broker_app import PARTITIONS, measured, topology

# Relayed and handled long ago. Bodies are short: what shall be found out hangs on the number of rows.
_STORE = """
    WITH made AS (
        SELECT number, 'bench:' || mod(number, 64) AS key,
            (lpad(to_hex(%(ms)s + number), 12, '0') || '70008000000000000000')::uuid AS id
        FROM generate_series(%(first)s, %(last)s) AS number
    ), relayed AS (
        INSERT INTO broker_outboxmessage
            (message_id, type, key, exchange, routing_key, body, created_at, position, relayed_at)
        SELECT id, 'bench.measured', key, 'measured', 'measured.one', '{"specversion": "1.0"}',
            now() - interval '1 hour', number, now() - interval '1 hour'
        FROM made
    )
    INSERT INTO broker_streammessage (stream, partition, "offset", position, body, appended_at)
    SELECT 'log', mod(number, %(partitions)s), div(number - 1, %(partitions)s), number, '{"specversion": "1.0"}', now()
    FROM made
"""
_HEADS = """
    WITH heads AS (
        INSERT INTO broker_streampartition (stream, partition, next_offset, first_offset)
        SELECT 'log', partition, %(count)s / %(partitions)s, 0
        FROM generate_series(0, %(partitions)s - 1) AS partition
        RETURNING partition, next_offset
    ), counter AS (
        INSERT INTO broker_lease (name, owner, generation, counter, expires_at)
        VALUES ('relay', '', 0, %(count)s, now())
    )
    UPDATE broker_grouppartition AS place SET next_offset = heads.next_offset, watermark = %(count)s
    FROM heads WHERE place.partition = heads.partition
"""
CHUNK = 500_000

# Ids follow the clock, as those of the product do, here at eight messages a millisecond.
_COPIES = """
    INSERT INTO broker_outboxmessage (message_id, type, key, exchange, routing_key, body)
    SELECT made.id, type, made.key, exchange, routing_key,
        body || jsonb_build_object('id', made.id, 'partitionkey', made.key)
    FROM broker_outboxmessage, LATERAL (
        SELECT 'bench:' || mod(number, 64) AS key,
            (lpad(to_hex(%(ms)s + number / 8), 12, '0') || '7' || right(md5(random()::text), 19))::uuid AS id
        FROM generate_series(1, %(count)s) AS number OFFSET 0
    ) AS made
    WHERE broker_outboxmessage.message_id = %(first)s
"""


@contextmanager
def own_database() -> Iterator[str]:
    """A database with the broker's tables and the baseline's, as Django's current one; its URL. Dropped afterwards."""
    with empty_database("broker"):
        with connection.cursor() as cursor:
            cursor.execute(bare_outbox.TABLES)
        yield current_url()


def current_url() -> str:
    """That of the database to which Django's connection goes, for `DATABASE_URL`."""
    return "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict)


@contextmanager
def empty_database(*apps: str) -> Iterator[str]:
    """A database with the tables of one app, or of all, as Django's current one; its name. Dropped afterwards."""
    usual, name = connection.settings_dict["NAME"], f"bench_{uuid4().hex[:12]}"
    _execute("CREATE DATABASE {}", name)
    try:
        use(name)
        call_command("migrate", *apps, verbosity=0)
        yield name
    finally:
        use(usual)
        _execute("DROP DATABASE {} WITH (FORCE)", name)
        connection.close()


def use(name: str) -> None:
    """Let Django's connection go to that database from now on."""
    connection.close()
    connection.settings_dict["NAME"] = name


def _execute(statement: str, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))


def fill_outbox(count: int, *, text: str) -> None:
    """Publish one message and copy it, with ids and keys of their own; all in one commit."""
    message = measured(0, text=text)
    with transaction.atomic():
        publish(message)
        with connection.cursor() as cursor:
            values: dict[str, Any] = {"count": count - 1, "first": message.id, "ms": int(time.time() * 1000)}
            cursor.execute(_COPIES, values)


def copy_to_bare_outbox() -> None:
    """Give the baseline the bodies that `fill_outbox` made, in the same order."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bare_outbox (body) SELECT body::text FROM broker_outboxmessage ORDER BY id")


def store(count: int) -> None:
    """Fill the outbox and the log with `count` messages that were relayed and handled, in a few commits."""
    membership.prepare(topology.groups[0], topology.streams[0])
    with connection.cursor() as cursor:
        ms = int(time.time() * 1000) - count  # ids follow the clock, as those of real messages
        for first in range(1, count + 1, CHUNK):
            last = min(first + CHUNK - 1, count)
            cursor.execute(_STORE, {"first": first, "last": last, "ms": ms, "partitions": PARTITIONS})
        cursor.execute(_HEADS, {"count": count, "partitions": PARTITIONS})
        cursor.execute("VACUUM ANALYZE broker_outboxmessage, broker_streammessage")
