"""A page is made on one thread: while the event loop is busy, it goes on."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, cast

from asgiref.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from pytest_django import Settings

from ott.pages import Pages

PATIENCE = 5.0  # seconds
in_middleware, loop_is_busy, in_view = threading.Event(), threading.Event(), threading.Event()


class WaitsForABusyLoop:
    """Middleware that goes on to the view when the event loop does something else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        in_middleware.set()
        assert loop_is_busy.wait(PATIENCE)
        return self._get_response(request)


def view(_request: HttpRequest) -> HttpResponse:
    in_view.set()
    return HttpResponse("here")


urlpatterns = [path("", view)]


async def test_from_middleware_to_view_a_page_does_not_wait_for_the_event_loop(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [f"{__name__}.WaitsForABusyLoop"]
    for event in (in_middleware, loop_is_busy, in_view):
        event.clear()
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    page = cast(Any, ApplicationCommunicator)(Pages(), scope)

    # Given a page that has come as far as its middleware
    await page.send_input({"type": "http.request", "body": b""})
    async with asyncio.timeout(PATIENCE):
        while not in_middleware.is_set():
            await asyncio.sleep(0.01)

    # When the event loop does not come to anything else
    loop_is_busy.set()
    assert in_view.wait(PATIENCE)  # then the view is reached all the same

    started, body = await page.receive_output(PATIENCE), await page.receive_output(PATIENCE)
    assert (started["status"], body["body"]) == (200, b"here")
    await page.wait()
