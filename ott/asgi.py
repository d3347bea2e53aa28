"""The ASGI application: pages and API by Django, live connections by `notifications.live`."""

import gc
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ott.settings")
django.setup(set_prefix=False)  # what follows needs the models

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from catalog.request_limit import Application, limit_requests  # noqa: E402
from notifications.live.gateway import gateway, stop_gateway  # noqa: E402
from notifications.live.routing import websocket_urlpatterns  # noqa: E402
from ott.pages import Pages  # noqa: E402

# Of thousands of connections nearly everything stays; with Python's own thresholds a crowd that comes brings on a walk
# through all of it, a third of a second, again and again.
GC_THRESHOLDS = (10_000, 20, 100)
# A page's thread that comes back from the database waits that long for an event loop that is busy, at every statement.
SWITCH_SECONDS = 0.001


async def lifespan(
    scope: Mapping[str, Any],
    receive: Callable[[], Awaitable[Mapping[str, Any]]],
    send: Callable[[Mapping[str, Any]], Awaitable[None]],
) -> None:
    """Start the live gateway with the server and stop it with the server (the ASGI lifespan protocol, 2.0)."""
    await receive()
    gateway()
    gc.collect()
    gc.freeze()  # what is loaded stays: the collector need not walk through it
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await stop_gateway()
    await send({"type": "lifespan.shutdown.complete"})


application = ProtocolTypeRouter(
    {
        "http": limit_requests(cast(Application, Pages())),
        "websocket": URLRouter(websocket_urlpatterns),
        "lifespan": lifespan,
    }
)
