"""Empties the database after a test that committed, in milliseconds.

Django truncates every table, which costs PostgreSQL new files, and then makes content types and permissions anew.
Here only tables with rows are emptied, and what `migrate` made of our models stays.
"""

from django.db import connection, transaction
from django.test import TransactionTestCase

MADE_BY_MIGRATE = ("django_migrations", "django_content_type", "auth_permission")
LARGE = 1_000_000  # bytes: from here on truncating is cheaper

EMPTY = f"""
DO $$
DECLARE
    name regclass;
BEGIN
    SET LOCAL session_replication_role = replica;  -- what refers to a row goes too, in whatever order
    FOR name IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relname = ANY(%s) LOOP
        IF pg_relation_size(name) > {LARGE} THEN
            EXECUTE format('TRUNCATE %%s CASCADE', name);
        ELSE
            EXECUTE format('DELETE FROM %%s', name);
        END IF;
    END LOOP;
END $$
"""


def empty_database() -> None:
    """Delete all rows but those of `MADE_BY_MIGRATE`, once nobody is writing any more."""
    tables = [name for name in connection.introspection.table_names() if name not in MADE_BY_MIGRATE]
    quoted = ", ".join(connection.ops.quote_name(name) for name in tables)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {quoted} IN SHARE ROW EXCLUSIVE MODE")  # wait for writers, as TRUNCATE would
        cursor.execute(EMPTY, [tables])


def use_after_transactional_tests() -> None:
    """Let Django's test cases empty the database like this."""
    setattr(TransactionTestCase, "_fixture_teardown", lambda self: empty_database())  # noqa: B010 - it is not typed
