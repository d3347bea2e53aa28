"""Each request's place in a trace: the caller's, by the header `traceparent`, or a new one."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from broker import trace


class TraceContext:
    """What a request publishes and logs carries its trace."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with trace.following(request.headers.get("traceparent", "")):
            return self._get_response(request)
