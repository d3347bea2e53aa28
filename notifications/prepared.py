"""Statements that PostgreSQL plans once for each connection: of those for a page, planning took as long as the rest."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.utils import CursorWrapper


@contextmanager
def prepared_cursor() -> Iterator[CursorWrapper]:
    """A cursor of Django's usual connection that leaves it to the server to put the parameters in.

    What it executes again and again is prepared, unless `OTT_PREPARED_STATEMENTS` is off.
    """
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    usual, raw.cursor_factory = raw.cursor_factory, cast("type[psycopg.Cursor[Any]]", ServerBindingCursor)
    try:
        cursor = connection.cursor()
    finally:
        raw.cursor_factory = usual
    with cursor:
        yield cursor
