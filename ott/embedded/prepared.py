"""Knows whether a database was prepared for this very code and key: then a second start need not set Django up for it.

`manage.py prepare` leaves a comment on Django's table of migrations: what it prepared for, and how many there were.
"""

from hashlib import sha256

import psycopg
from psycopg import sql

from .processes import PROJECT

LOCK_FILE = "requirements.lock"
TABLE = "django_migrations"
COUNT = sql.SQL("(SELECT count(*) FROM {})").format(sql.Identifier(TABLE))


def is_prepared(database_url: str, *, secret_key: str, seed: bool) -> bool:
    """Whether nothing is left to do: code, migrations and key are those of then. False if it cannot be asked."""
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            query = sql.SQL("SELECT obj_description({}::regclass), {}").format(sql.Literal(TABLE), COUNT)
            comment, count = connection.execute(query).fetchone() or ("", 0)
    except psycopg.Error:
        return False
    return bool(comment == _mark(count, secret_key=secret_key, seed=seed))


def remember_prepared(database_url: str, *, secret_key: str, seed: bool) -> None:
    """Leave the comment that `is_prepared` looks for."""
    with psycopg.connect(database_url) as connection:
        (count,) = connection.execute(sql.SQL("SELECT {}").format(COUNT)).fetchone() or (0,)
        comment = sql.SQL("COMMENT ON TABLE {} IS {}").format(
            sql.Identifier(TABLE), sql.Literal(_mark(count, secret_key=secret_key, seed=seed))
        )
        connection.execute(comment)


def _mark(count: int, *, secret_key: str, seed: bool) -> str:
    digest = sha256(secret_key.encode())  # under a new key, `prepare` has secrets to seal anew
    for path in (PROJECT / LOCK_FILE, *sorted(PROJECT.glob("*/migrations/*.py"))):
        digest.update(str(path.relative_to(PROJECT)).encode() + b"\0" + path.read_bytes())
    return f"{digest.hexdigest()} with {count} migrations{' and the demo' if seed else ''}"
