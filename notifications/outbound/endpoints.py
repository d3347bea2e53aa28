"""Everything that changes where a viewer is told."""

from datetime import timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models.functions import Now

from accounts.clock import database_now
from accounts.commands import lock_profile
from accounts.problems import Problem

from .addresses import ForbiddenAddress, InvalidUrl, checked_url
from .models import Channel, Circuit, Endpoint
from .web_push.checks import check_browser_keys
from .webhook.signing import new_secret

MAIL_HOST = "mail"  # whichever server it is: all mail leaves by one
BOTH_SECRETS = timedelta(hours=24)  # for which the replaced secret signs, too
MOST_PER_CHANNEL = 10


class InvalidEndpoint(Problem):
    """The address, or a browser's key, cannot be used."""

    status = 422
    slug = "invalid-endpoint"
    title = "Nothing can be delivered there"


class TooManyEndpoints(Problem):
    """A viewer has so many browsers, or webhooks, and no more."""

    status = 409
    slug = "too-many-endpoints"
    title = f"There may be {MOST_PER_CHANNEL} of a kind: remove one first"


class UnknownEndpoint(Problem):
    """There is no such endpoint of this viewer's."""

    status = 404
    slug = "unknown-endpoint"
    title = "You have no such endpoint"


@transaction.atomic
def set_mail(*, viewer_id: int, on: bool) -> Endpoint:
    """Mail this viewer, at whatever address the account has, or no longer."""
    endpoint, _ = Endpoint.objects.get_or_create(
        viewer_id=viewer_id, channel=Channel.MAIL, address="", defaults={"host": MAIL_HOST, "disabled_at": Now()}
    )
    return _switch(endpoint, on=on)


@transaction.atomic
def add_browser(*, viewer_id: int, address: str, push_key: str, push_auth: str, label: str = "") -> Endpoint:
    """Push to a browser; again with new keys replaces them. Raises `InvalidEndpoint` and `TooManyEndpoints`."""
    host = _host_of(address)
    problem = check_browser_keys(push_key=push_key, push_auth=push_auth)
    if problem:
        raise InvalidEndpoint(problem)
    # A browser belongs to whoever signed in there last.
    Endpoint.objects.filter(channel=Channel.WEB_PUSH, address=address).exclude(viewer_id=viewer_id).delete()
    _check_room(viewer_id, Channel.WEB_PUSH, address)
    endpoint, _ = Endpoint.objects.update_or_create(
        viewer_id=viewer_id,
        channel=Channel.WEB_PUSH,
        address=address,
        defaults={"host": host, "push_key": push_key, "push_auth": push_auth, "label": label[:120]},
    )
    return _switch(endpoint, on=True)


@transaction.atomic
def remove_browser(*, viewer_id: int, address: str) -> None:
    """Forget a browser by the address that its push service gave it; again is fine."""
    Endpoint.objects.filter(viewer_id=viewer_id, channel=Channel.WEB_PUSH, address=address).delete()


@transaction.atomic
def add_webhook(*, viewer_id: int, address: str, label: str = "") -> Endpoint:
    """Post to a URL, with a secret of its own. Again changes nothing but switches it on.

    Raises `InvalidEndpoint` and `TooManyEndpoints`.
    """
    host = _host_of(address)
    _check_room(viewer_id, Channel.WEBHOOK, address)
    endpoint, _ = Endpoint.objects.get_or_create(
        viewer_id=viewer_id,
        channel=Channel.WEBHOOK,
        address=address,
        defaults={"host": host, "label": label[:120], "secret": new_secret()},
    )
    return _switch(endpoint, on=True)


@transaction.atomic
def rotate_secret(*, viewer_id: int, endpoint_id: int) -> Endpoint:
    """A new secret; the old one signs, too, for a day. Raises `UnknownEndpoint`."""
    endpoint = _mine(viewer_id, endpoint_id, channel=Channel.WEBHOOK)
    endpoint.previous_secret, endpoint.secret = endpoint.secret, new_secret()
    endpoint.previous_until = database_now() + BOTH_SECRETS
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until"])
    return endpoint


@transaction.atomic
def switch(*, viewer_id: int, endpoint_id: int, on: bool) -> Endpoint:
    """Send there, or no longer. Raises `UnknownEndpoint`."""
    return _switch(_mine(viewer_id, endpoint_id), on=on)


@transaction.atomic
def remove(*, viewer_id: int, endpoint_id: int) -> None:
    """Forget an endpoint; again is fine."""
    Endpoint.objects.filter(viewer_id=viewer_id, pk=endpoint_id).delete()


def unsubscribe(*, endpoint_id: int) -> bool:
    """Switch mail off for whoever holds the signed address; False when there is no such endpoint."""
    mail = Endpoint.objects.filter(pk=endpoint_id, channel=Channel.MAIL)
    mail.filter(disabled_at__isnull=True).update(disabled_at=Now(), disabled_reason="")
    return mail.exists()


def _switch(endpoint: Endpoint, *, on: bool) -> Endpoint:
    changes = {"disabled_at": None if on else Now(), "disabled_reason": ""}
    Endpoint.objects.filter(pk=endpoint.pk, disabled_at__isnull=not on).update(**changes)
    if on:  # whoever switches it on has mended it: the next one goes through
        Circuit.objects.filter(host=endpoint.host, retry_at__isnull=False).update(retry_at=Now())
    endpoint.refresh_from_db()
    return endpoint


def _mine(viewer_id: int, endpoint_id: int, **more: str) -> Endpoint:
    found = Endpoint.objects.select_for_update().filter(viewer_id=viewer_id, pk=endpoint_id, **more).first()
    if found is None:
        raise UnknownEndpoint
    return found


def _host_of(address: str) -> str:
    """Host and port, by which circuits are kept."""
    try:
        checked_url(address)
    except (InvalidUrl, ForbiddenAddress) as error:
        raise InvalidEndpoint(str(error)) from error
    parts = urlsplit(address)
    host = (parts.hostname or "").rstrip(".")
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"[:300]


def _check_room(viewer_id: int, channel: Channel, address: str) -> None:
    lock_profile(user_id=viewer_id)  # so that two that come at once are counted one after the other
    others = Endpoint.objects.filter(viewer_id=viewer_id, channel=channel).exclude(address=address)
    if others.count() >= MOST_PER_CHANNEL:
        raise TooManyEndpoints
