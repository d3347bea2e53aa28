"""The address with which a reader ends the mails without signing in: signed, so that it works for nobody else."""

from django.conf import settings
from django.core import signing
from django.urls import reverse

_SALT = "notifications.outbound.unsubscribe"


def unsubscribe_url(*, endpoint_id: int) -> str:
    """Where a reader's mails end. It never expires: a mail may be read years later."""
    token = signing.Signer(salt=_SALT).sign(str(endpoint_id))
    return f"{settings.OTT_SITE_URL}{reverse('unsubscribe', args=[token])}"


def endpoint_of(token: str) -> int | None:
    """The endpoint that a token was made for; None when nobody made it."""
    try:
        return int(signing.Signer(salt=_SALT).unsign(token))
    except (signing.BadSignature, ValueError):
        return None
