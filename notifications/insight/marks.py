"""Marks in links that leave the platform: they say whose link it is, so that following it counts without signing in.

A mark is signed: nobody counts for somebody else. What is rendered once for many readers has `HERE` in its links, and
each reader's own mark is put there when it is sent. Nothing is loaded when a mail is merely looked at.
"""

from django.core import signing
from django.urls import reverse

HERE = "the-readers-own-mark"
_SALT = "notifications.insight.marks"


def marked_path(notification_id: int) -> str:
    """The path that counts and leads on to where the notification does, with `HERE` for the mark."""
    return reverse("opened_from", args=[notification_id, HERE])


def mark_of(*, viewer_id: int) -> str:
    """The viewer's mark. It never expires: a mail may be read years later."""
    return signing.Signer(salt=_SALT).sign(str(viewer_id))


def viewer_of(mark: str) -> int | None:
    """Whose mark it is; None when it is nobody's."""
    try:
        return int(signing.Signer(salt=_SALT).unsign(mark))
    except (signing.BadSignature, ValueError):
        return None
