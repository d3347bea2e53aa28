"""Named rights that one process holds at a time. A generation fences whoever held one before."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection, transaction

from .errors import LeaseLost

_TAKE = """
    INSERT INTO broker_lease (name, owner, generation, counter, expires_at)
    VALUES (%(name)s, %(owner)s, 1, 0, now() + make_interval(secs => %(seconds)s))
    ON CONFLICT (name) DO UPDATE
    SET owner = EXCLUDED.owner, generation = broker_lease.generation + 1, expires_at = EXCLUDED.expires_at
    WHERE broker_lease.expires_at <= now() OR broker_lease.owner = EXCLUDED.owner
    RETURNING generation
"""
_HOLD = "SELECT 1 FROM broker_lease WHERE name = %s AND generation = %s FOR SHARE"
_RENEW = """
    UPDATE broker_lease SET expires_at = now() + make_interval(secs => %s) WHERE name = %s AND generation = %s
"""
_ADVANCE = "UPDATE broker_lease SET counter = %s WHERE name = %s AND generation = %s"
_RELEASE = "UPDATE broker_lease SET owner = '', expires_at = now() WHERE name = %s AND generation = %s"


def take(name: str, *, owner: str) -> int | None:
    """The generation under which `owner` now holds the lease, or None while somebody else does."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"name": name, "owner": owner, "seconds": settings.BROKER_LEASE_SECONDS})
        row = cursor.fetchone()
    return row[0] if row else None


def release(name: str, *, generation: int) -> None:
    """Let somebody else take it at once."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [name, generation])


def check(name: str, *, generation: int) -> None:
    """Raise `LeaseLost` when somebody holds the lease under a newer generation."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [name, generation])
        if cursor.fetchone() is None:
            raise LeaseLost(f"{name}, generation {generation}")


def renew(name: str, *, generation: int) -> None:
    """Hold the lease for another while, and its row until the transaction ends. Raises `LeaseLost`."""
    _update(_RENEW, settings.BROKER_LEASE_SECONDS, name, generation)


def advance(name: str, *, generation: int, counter: int) -> None:
    """Note the last number given out under the lease, and hold its row until the transaction ends.

    To be the transaction's last statement, as the check in `fenced` is. Raises `LeaseLost`.
    """
    _update(_ADVANCE, counter, name, generation)


def _update(statement: str, value: float, name: str, generation: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [value, name, generation])
        if not cursor.rowcount:
            raise LeaseLost(f"{name}, generation {generation}")


@contextmanager
def fenced(name: str, *, generation: int) -> Iterator[None]:
    """A transaction that commits only if the lease is still of this generation; otherwise raises `LeaseLost`.

    The check comes last and holds the lease's row until the commit, so nobody can take it in between, and whoever
    waits inside the block for something else does not keep others from taking it.
    """
    with transaction.atomic():
        yield
        check(name, generation=generation)
