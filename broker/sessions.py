"""Database sessions that give way: a process that was killed or stopped must not hold locks that others wait for."""

from typing import Any

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

_GUARD = """
    SELECT set_config('client_connection_check_interval', '1s', false),
           set_config('idle_in_transaction_session_timeout', %s, false)
"""


def guard_sessions() -> None:
    """From now on, end this process's sessions whose client is gone, or is silent in a transaction for ten leases.

    Without that a session that waits for a lock outlives its killed client, and one whose client is stopped holds
    what it locked. See https://www.postgresql.org/docs/18/runtime-config-client.html
    """
    connection_created.connect(_guard, dispatch_uid="broker.sessions")


def is_lost(error: Exception) -> bool:
    """Whether PostgreSQL went away, or ended the session because we were silent in a transaction for too long.

    The latter is none of its operational errors: class 25, an invalid state of the transaction.
    """
    if isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError):
        return True
    return isinstance(error.__cause__ or error, psycopg.errors.IdleInTransactionSessionTimeout)


def _guard(connection: BaseDatabaseWrapper, **_: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_GUARD, [f"{10 * settings.BROKER_LEASE_SECONDS:.0f}s"])
