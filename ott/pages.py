"""Django's pages under ASGI, each on one thread from the first middleware to the last."""

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class Pages(ASGIHandler):
    """Django's handler, for middleware and views that are not asynchronous, as all of ours.

    Django's own comes back to the event loop between middleware and view, and twice has to wait for its turn there.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """The synchronous chain, whatever is asked for."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The answer to a request, of which the event loop sees nothing but the end."""
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)
