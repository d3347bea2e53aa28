"""Who calls the API: a session cookie, or a bearer token."""

from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from .commands import touch_api_token
from .models import ApiToken, User
from .problems import CsrfFailed, StudioTokenRefused
from .queries import user_for_token


class SessionCookie(APIKeyCookie):
    """The signed-in user of a browser. Writes need the CSRF token, because a browser sends cookies by itself."""

    param_name = "sessionid"

    def __call__(self, request: HttpRequest) -> User | None:
        if "Authorization" in request.headers or not isinstance(request.user, User):
            return None
        if check_csrf(request):
            raise CsrfFailed("Send the CSRF cookie's value in the header X-CSRFToken.")
        return request.user

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:
        """Not asked: the session middleware has read the cookie already."""
        raise NotImplementedError


class BearerToken(HttpBearer):
    """`Authorization: Bearer <token>`: `request.auth` is the token, `request.user` its user."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        found = user_for_token(token)
        if found is not None:
            touch_api_token(token=found)
            request.user = found.user
        return found


class PersonalToken(BearerToken):
    """A token that speaks for its user in everything, not in a studio's name alone."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        """Raises `StudioTokenRefused` for one that is for a studio."""
        found = super().authenticate(request, token)
        if found is not None and found.studio_slug:
            raise StudioTokenRefused
        return found


auth = [SessionCookie(), BearerToken()]
personal_auth = [SessionCookie(), PersonalToken()]  # for what is a viewer's own
