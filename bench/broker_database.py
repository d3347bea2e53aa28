"""Databases of the benchmark's own on the server that `DATABASE_URL` names, and what fills them, set-based."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from django.core.management import call_command
from django.db import connection, transaction
from psycopg import sql

from broker.outbox import publish

from . import bare_outbox
from .broker_app import measured

_COPIES = """
    INSERT INTO broker_outboxmessage (message_id, type, key, exchange, routing_key, body)
    SELECT made.id, type, made.key, exchange, routing_key,
        body || jsonb_build_object('id', made.id, 'partitionkey', made.key)
    FROM broker_outboxmessage, LATERAL (
        SELECT gen_random_uuid() AS id, 'bench:' || mod(number, 64) AS key
        FROM generate_series(1, %s) AS number OFFSET 0
    ) AS made
    WHERE broker_outboxmessage.message_id = %s
"""


@contextmanager
def own_database() -> Iterator[str]:
    """A database with the broker's tables and the baseline's, as Django's current one; its URL. Dropped afterwards."""
    settings, usual = connection.settings_dict, connection.settings_dict["NAME"]
    name = f"bench_{uuid4().hex[:12]}"
    _execute("CREATE DATABASE {}", name)
    try:
        _use(name)
        call_command("migrate", "broker", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(bare_outbox.TABLES)
        yield "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**settings)
    finally:
        _use(usual)
        _execute("DROP DATABASE {} WITH (FORCE)", name)
        connection.close()


def _use(name: str) -> None:
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
            cursor.execute(_COPIES, [count - 1, message.id])


def copy_to_bare_outbox() -> None:
    """Give the baseline the bodies that `fill_outbox` made, in the same order."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bare_outbox (body) SELECT body::text FROM broker_outboxmessage ORDER BY id")
