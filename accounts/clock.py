"""One clock for all processes: the database's."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The moment at which the database answers, not the one at which the transaction began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
