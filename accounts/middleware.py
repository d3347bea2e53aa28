"""What every page needs to know of the person."""

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from .models import User, ViewerProfile

NOT_PAGES = ("/api/", "/media/", "/static/", "/healthz", "/readyz", "/metrics")


class ViewerTimeZone:
    """Shows and reads moments in the time zone of the viewer's profile; elsewhere than on pages it is UTC."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(NOT_PAGES):
            return self._get_response(request)
        with timezone.override(zone_of(request)):
            return self._get_response(request)


def zone_of(request: HttpRequest) -> zoneinfo.ZoneInfo:
    """The viewer's zone; UTC for a guest."""
    profile = profile_of(request)
    return zoneinfo.ZoneInfo(profile.time_zone if profile else "UTC")


def profile_of(request: HttpRequest) -> ViewerProfile | None:
    """The profile of whoever is signed in, read once for each request."""
    if not isinstance(request.user, User):
        return None
    return getattr(request.user, "profile", None)
