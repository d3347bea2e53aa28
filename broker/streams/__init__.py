"""Stream engines, chosen by `settings.BROKER_STREAMS`: `postgres`, `redis://…`, `kafka://…` or `amqp://…`."""

from functools import cache
from typing import cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from .base import Entry, Features, StreamEngine
from .kinds import KINDS, problem_with, scheme_of

__all__ = ["Entry", "Features", "StreamEngine", "engine", "engine_name"]


def engine() -> StreamEngine:
    """The engine that settings choose. Raises `ImproperlyConfigured` when there is none of that name."""
    return _engine(settings.BROKER_STREAMS)


def engine_name() -> str:
    """What the chosen engine is called; the offsets of a group count in one engine."""
    return KINDS[scheme_of(settings.BROKER_STREAMS)].name


@cache
def _engine(setting: str) -> StreamEngine:
    if problem := problem_with(setting):
        raise ImproperlyConfigured(f"BROKER_STREAMS: {problem}")
    class_ = import_string(KINDS[scheme_of(setting)].path)
    return cast("StreamEngine", class_() if setting == "postgres" else class_(setting))
