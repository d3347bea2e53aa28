"""Texts at rest that nobody is to read in a copy of the database: sealed with a key made of `SECRET_KEY`.

A sealed text begins with the mark of its key. What was sealed under one of `SECRET_KEY_FALLBACKS` can still be opened.
"""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

_SALT = b"notifications.outbound.sealing"  # with another one nothing could be opened that was sealed before
MARK = 8  # characters


def seal(text: str) -> str:
    """`text` for the database; nothing stays nothing."""
    if not text:
        return ""
    mark, fernet = _key(settings.SECRET_KEY)
    return f"{mark}:{fernet.encrypt(text.encode()).decode()}"


def unseal(sealed: str) -> str:
    """What was sealed; empty where no key that we have opens it."""
    mark, _, token = sealed.partition(":")
    for secret_key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        known, fernet = _key(secret_key)
        if mark == known:
            try:
                return fernet.decrypt(token).decode()
            except InvalidToken:
                return ""
    return ""


def present_mark() -> str:
    """That of what is sealed now."""
    return _key(settings.SECRET_KEY)[0]


@lru_cache(maxsize=16)
def _key(secret_key: str) -> tuple[str, Fernet]:
    """(mark, key) that a secret key makes."""
    raw = hashlib.blake2b(secret_key.encode(), key=_SALT, digest_size=32).digest()
    return hashlib.sha256(raw).hexdigest()[:MARK], Fernet(base64.urlsafe_b64encode(raw))
