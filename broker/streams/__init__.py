"""Stream engines, chosen by `settings.BROKER_STREAMS`: `postgres`, `redis://…`, `kafka://…` or `amqp://…`."""

from functools import cache
from typing import cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from .base import Entry, Features, Log, OffsetMirror, OutboxTaker, StreamEngine
from .kinds import KINDS, problem_with, scheme_of

__all__ = [
    "Entry",
    "Features",
    "Log",
    "OffsetMirror",
    "OutboxTaker",
    "StreamEngine",
    "engine",
    "engine_at",
    "engine_name",
    "name_of",
]


def engine() -> StreamEngine:
    """The engine that settings choose. Raises `ImproperlyConfigured` when there is none of that name."""
    return engine_at(settings.BROKER_STREAMS)


def engine_name() -> str:
    """What the chosen engine is called; the offsets of a group count in one engine."""
    return name_of(settings.BROKER_STREAMS)


def name_of(setting: str) -> str:
    """What the engine at an address is called."""
    return KINDS[scheme_of(setting)].name


@cache
def engine_at(setting: str) -> StreamEngine:
    """The engine at an address, one object a process. Raises `ImproperlyConfigured`."""
    if problem := problem_with(setting):
        raise ImproperlyConfigured(f"BROKER_STREAMS: {problem}")
    class_ = import_string(KINDS[scheme_of(setting)].path)
    return cast("StreamEngine", class_() if setting == "postgres" else class_(setting))
