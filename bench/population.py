"""Viewers by the million, set-based: one is made by the models, so that no column is missed, and copied."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from accounts.clock import database_now
from accounts.models import Membership, User

DAYS_OF_MEMBERSHIP = 60

_COPY = """
INSERT INTO {table} ({columns})
SELECT {values}
FROM {table} AS original
CROSS JOIN ({source}) AS made
WHERE original.ctid = (SELECT ctid FROM {table} LIMIT 1)
"""


@transaction.atomic
def copies(table: str, *, source: str, values: Mapping[str, Any] | None = None) -> None:
    """Copy the table's only row once for each row that the query `source` gives, whose columns take its own's place."""
    with connection.cursor() as cursor:
        given = _columns(cursor, f"SELECT * FROM ({source}) AS made LIMIT 0", values)
        columns = _columns(cursor, f"SELECT * FROM {table} LIMIT 0")
        chosen = [f"{'made' if column in given else 'original'}.{column}" for column in columns]
        # What is copied refers to what is there: no trigger needs to look it up, row by row.
        cursor.execute("SET LOCAL session_replication_role = replica")
        statement = _COPY.format(table=table, columns=", ".join(columns), values=", ".join(chosen), source=source)
        cursor.execute(statement, values or {})


def _columns(cursor: CursorWrapper, query: str, values: Mapping[str, Any] | None = None) -> list[str]:
    cursor.execute(query, values or {})
    return [column.name for column in cursor.description]


def next_id(table: str) -> str:
    """The expression that draws an id for a row of the table."""
    return f"nextval(pg_get_serial_sequence('{table}', 'id'))"


def make_viewers(count: int) -> range:
    """`count` members, one in five of them a child, in a database that has no people yet; their ids."""
    user = User.objects.create(email=f"{uuid4().hex}@bench.example", password="!")
    Membership.objects.create(user=user, starts_at=database_now() - timedelta(days=DAYS_OF_MEMBERSHIP))
    ids = range(user.pk, user.pk + count)
    values = {"first": user.pk + 1, "last": ids[-1]}
    made = "FROM generate_series(%(first)s, %(last)s) AS viewer (id)"
    email = f"SELECT id, 'viewer-' || id || '@bench.example' AS email {made}"
    copies("accounts_user", source=email, values=values)
    kids = f"SELECT id AS user_id, id %% 5 = 0 AS is_kids {made}"
    copies("accounts_viewerprofile", source=kids, values=values)
    copies("accounts_membership", source=f"SELECT id, id AS user_id {made}", values=values)
    with connection.cursor() as cursor:
        for table in ("accounts_user", "accounts_membership"):
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, ids[-1]])
    return ids


def settle_tables() -> None:
    """What autovacuum and the checkpointer would have done by the time that there is so much."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
