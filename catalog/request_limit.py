"""Refuses what is too large before it is received. Django would read all of it first."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from .errors import UploadTooLarge

FORM_BYTES = 1024**2  # what a form may add to its file

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def limit_requests(application: Application) -> Application:
    """Wrap an ASGI application: a body over `CATALOG_MAX_UPLOAD_BYTES` is answered with 413 and not read.

    A body that does not say its length is cut off where it passes the limit.
    """

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
        elif _announced(scope) > _limit():
            await _refuse(send)
        else:
            await application(scope, _counting(receive), send)

    return limited


def _limit() -> int:
    return int(settings.CATALOG_MAX_UPLOAD_BYTES) + FORM_BYTES


def _announced(scope: Scope) -> int:
    """The body's length in bytes by its header; 0 when it does not say."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


def _counting(receive: Receive) -> Receive:
    received = 0

    async def counted() -> Event:
        nonlocal received
        event = await receive()
        received += len(event.get("body", b""))
        return event if received <= _limit() else {"type": "http.disconnect"}

    return counted


async def _refuse(send: Send) -> None:
    limit = filesizeformat(settings.CATALOG_MAX_UPLOAD_BYTES).replace("\xa0", " ")
    problem = UploadTooLarge(f"The request is too large; a file may have {limit}.")
    body = json.dumps(problem.as_document()).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
