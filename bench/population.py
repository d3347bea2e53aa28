"""Viewers by the million, set-based: one is made by the models, so that no column is missed, and copied."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import connection

from accounts.clock import database_now
from accounts.models import Membership, User

DAYS_OF_MEMBERSHIP = 60

_COPY = """
INSERT INTO {table}
SELECT copy.* FROM {table} AS original
CROSS JOIN ({source}) AS made
CROSS JOIN LATERAL jsonb_populate_record(original, {changes}) AS copy
WHERE original.ctid = (SELECT ctid FROM {table} LIMIT 1)
"""


def copies(table: str, *, source: str, changes: str, values: Mapping[str, Any] | None = None) -> None:
    """Copy the table's only row once for each row `made` of the query `source`, with the JSON object `changes`."""
    statement = _COPY.format(table=table, source=source, changes=changes)
    with connection.cursor() as cursor:
        cursor.execute(statement, values or {})


def make_viewers(count: int) -> range:
    """`count` members, one in five of them a child, in a database that has no people yet; their ids."""
    user = User.objects.create(email=f"{uuid4().hex}@bench.example", password="!")
    Membership.objects.create(user=user, starts_at=database_now() - timedelta(days=DAYS_OF_MEMBERSHIP))
    source, ids = "SELECT generate_series(%(first)s, %(last)s) AS id", range(user.pk, user.pk + count)
    values = {"first": user.pk + 1, "last": ids[-1]}
    email = "jsonb_build_object('id', made.id, 'email', 'viewer-' || made.id || '@bench.example')"
    copies("accounts_user", source=source, changes=email, values=values)
    kids = "jsonb_build_object('user_id', made.id, 'is_kids', made.id %% 5 = 0)"
    copies("accounts_viewerprofile", source=source, changes=kids, values=values)
    period = "jsonb_build_object('id', made.id, 'user_id', made.id)"
    copies("accounts_membership", source=source, changes=period, values=values)
    with connection.cursor() as cursor:
        for table in ("accounts_user", "accounts_membership"):
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, ids[-1]])
    return ids


def settle_tables() -> None:
    """What autovacuum would have done by the time that there is so much."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
