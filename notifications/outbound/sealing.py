"""Secrets of endpoints at rest: sealed with a key made of `SECRET_KEY`, so that a copy of the database signs nothing.

A sealed text begins with the mark of its key. What was sealed under one of `SECRET_KEY_FALLBACKS` can still be opened,
and `reseal`, a part of `manage.py prepare`, brings it under the present key; then the fallback can go.
"""

import base64
import hashlib
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import connection, models

from .webhook.signing import PREFIX

_SALT = b"notifications.outbound.sealing"
MARK = 8  # characters
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


def seal(text: str) -> str:
    """`text` for the database; nothing stays nothing."""
    if not text:
        return ""
    mark, fernet = _key(settings.SECRET_KEY)
    return f"{mark}:{fernet.encrypt(text.encode()).decode()}"


@lru_cache(maxsize=4096)
def unseal(sealed: str) -> str:
    """What was sealed; empty where no key that we have opens it. What was kept before there were seals is plain."""
    if sealed.startswith(PREFIX):
        return sealed
    mark, _, token = sealed.partition(":")
    for secret_key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        known, fernet = _key(secret_key)
        if mark == known:
            try:
                return fernet.decrypt(token).decode()
            except InvalidToken:
                return ""
    return ""


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
    mark, _ = _key(settings.SECRET_KEY)
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


@lru_cache(maxsize=16)
def _key(secret_key: str) -> tuple[str, Fernet]:
    """(mark, key) that a secret key makes."""
    raw = hashlib.blake2b(secret_key.encode(), key=_SALT, digest_size=32).digest()
    return hashlib.sha256(raw).hexdigest()[:MARK], Fernet(base64.urlsafe_b64encode(raw))
