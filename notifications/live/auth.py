"""Who is on the other end of a socket: a browser with a session, or a program with a token."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any

from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie

from accounts.models import User
from accounts.queries import user_for_token

from .connection import Identity
from .threads import in_thread

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_sessions = import_module(settings.SESSION_ENGINE)


def origin_checked(application: Application) -> Application:
    """Refuse pages of other sites, whose scripts would speak with our visitor's cookie. Tokens are no cookies."""
    for_browsers: Application = AllowedHostsOriginValidator(application)

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        await (application if _bearer(scope) else for_browsers)(scope, receive, send)

    return checked


async def identify(scope: Scope) -> Identity | None:
    """The signed-in user behind a socket, or None."""
    return await in_thread(_identify, _bearer(scope), _header(scope, b"cookie"))


def _identify(bearer: str, cookies: str) -> Identity | None:
    if bearer:
        token = user_for_token(bearer)
        return Identity(token.user_id, credential(token.user), token_id=token.pk) if token else None
    request = HttpRequest()
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    request.session = _sessions.SessionStore(key)
    user = get_user(request)
    if not isinstance(user, User) or not user.is_active:
        return None
    return Identity(user.pk, credential(user), session_key=request.session.session_key)


def credential(user: User) -> str:
    """Changes with the password, so that a connection made with the old one is found and closed."""
    return hashlib.md5(user.password.encode(), usedforsecurity=False).hexdigest()


def _bearer(scope: Scope) -> str:
    scheme, _, token = _header(scope, b"authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return ""
