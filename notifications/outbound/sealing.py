"""Secrets of endpoints at rest: sealed, so that a copy of the database signs nothing.

`reseal`, a part of `manage.py prepare`, brings what was sealed under one of `SECRET_KEY_FALLBACKS` under the present
key; then the secrets need the fallback no more.
"""

from functools import lru_cache
from typing import Any

from django.db import connection, models

from accounts import sealing
from accounts.sealing import present_mark, seal

from .webhook.signing import PREFIX

BATCH = 1000

_FIND = """
    SELECT id, {column} FROM notifications_endpoint
    WHERE {column} <> '' AND {column} NOT LIKE %(mark)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
"""
# A secret that was replaced meanwhile is sealed as it should be, and is left alone.
_RESEAL = """
    UPDATE notifications_endpoint endpoint SET {column} = found.after
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS found (id, before, after)
    WHERE endpoint.id = found.id AND endpoint.{column} = found.before
"""


@lru_cache(maxsize=4096)
def unseal(sealed: str) -> str:
    """What was sealed; empty where no key that we have opens it. What was kept before there were seals is plain."""
    return sealed if sealed.startswith(PREFIX) else sealing.unseal(sealed)


class SealedField(models.CharField):  # type: ignore[type-arg] # Django's own field takes none at run time
    """Text that is sealed in the database and plain in Python."""

    def get_prep_value(self, value: Any) -> str:
        """Seal it."""
        return seal(str(value or ""))

    def from_db_value(self, value: str, *_: object) -> str:
        """Open it."""
        return unseal(value)


def reseal() -> int:
    """Seal under the present key what lies under an older one, or under none; how many secrets that were.

    What no key opens stays as it is: its key may come back.
    """
    return sum(_reseal(column) for column in ("secret", "previous_secret"))


def _reseal(column: str) -> int:
    mark = present_mark()
    count, last = 0, 0
    while rows := _sealed_otherwise(column, mark, after=last):
        opened = [(pk, text, unseal(text)) for pk, text in rows]
        moved = [(pk, text, seal(plain)) for pk, text, plain in opened if plain]
        with connection.cursor() as cursor:
            columns = [[row[place] for row in moved] for place in range(3)]
            cursor.execute(_RESEAL.format(column=column), columns)
            count += cursor.rowcount
        last = rows[-1][0]
    return count


def _sealed_otherwise(column: str, mark: str, *, after: int) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_FIND.format(column=column), {"mark": f"{mark}:%", "after": after, "limit": BATCH})
        rows: list[tuple[int, str]] = cursor.fetchall()
    return rows
