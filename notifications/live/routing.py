"""The addresses of the live side."""

from django.urls import path

from .auth import origin_checked
from .consumer import live_socket

websocket_urlpatterns = [path("ws/live/", origin_checked(live_socket))]  # type: ignore[arg-type] # an ASGI app, for Channels' URLRouter
