"""Who is on the other end of a socket: a browser with a session, or a program with a token."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie

from accounts.models import ApiToken, User
from accounts.queries import users_for_tokens

from .connection import Identity

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


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows: a token, or else the key of a session."""

    bearer: str
    session_key: str


def credentials_of(scope: Scope) -> Credentials:
    """What the client at the other end of a socket shows."""
    cookies = parse_cookie(_header(scope, b"cookie"))
    return Credentials(_bearer(scope), cookies.get(settings.SESSION_COOKIE_NAME, ""))


def identify_all(shown: Sequence[Credentials]) -> list[Identity | Exception | None]:
    """The signed-in user behind each, or None. All tokens are looked up at once; sessions, by Django, one by one."""
    tokens = users_for_tokens({one.bearer for one in shown if one.bearer})
    identities: list[Identity | Exception | None] = []
    for one in shown:
        token = tokens.get(one.bearer)
        if one.bearer:
            identities.append(_behind_token(token) if token else None)
        else:
            identities.append(_behind_session(one.session_key) if one.session_key else None)
    return identities


def _behind_token(token: ApiToken) -> Identity | None:
    if token.studio_slug:  # it speaks for the studio, not for the one who made it
        return None
    return Identity(token.user_id, credential(token.user), token_id=token.pk)


def _behind_session(key: str) -> Identity | None:
    request = HttpRequest()
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
