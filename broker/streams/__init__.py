"""Stream engines, chosen by `settings.BROKER_STREAMS`."""

from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from .base import Entry, StreamEngine
from .postgres import PostgresStreams

__all__ = ["Entry", "StreamEngine", "engine"]


def engine() -> StreamEngine:
    """The engine that settings choose. Raises `ImproperlyConfigured` when there is none of that name."""
    return _engine(settings.BROKER_STREAMS)


@cache
def _engine(name: str) -> StreamEngine:
    if name == "postgres":
        return PostgresStreams()
    raise ImproperlyConfigured(f"BROKER_STREAMS: there is no stream engine {name!r}")
