"""What pages say when a request failed."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error as broken

from accounts.api import RETRY_AFTER_SECONDS


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`, which it calls while the exception is being handled: 503 if PostgreSQL is away."""
    if not isinstance(sys.exception(), OperationalError | InterfaceError):
        return broken(request)
    return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
