"""Digests: what is held for one is put into one mail, when its time has come."""

from django.db import connection, transaction

from notifications import sql
from notifications.models import KIDS_MAX_MATURITY

AT_ONCE = 5_000  # deliveries in a transaction
_LOCK = 0x6469_6765_7374  # "digest": one assembles at a time, so that no digest is assembled in two halves


def assemble() -> int:
    """Open every digest that is due; how many deliveries were looked at. Whoever finds another at it leaves it to them.

    A transaction is all or nothing, so a kill leaves what was held held, and the next run takes it.
    """
    total = 0
    while count := _assemble_some():
        total += count
    return total


@transaction.atomic
def _assemble_some() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        bound = {"limit": AT_ONCE, "kids_max_maturity": KIDS_MAX_MATURITY}
        cursor.execute(sql.load("assemble_digests"), bound)
        return int(cursor.rowcount)
