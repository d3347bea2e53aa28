"""The topology that settings name, and what dotted paths in it stand for."""

from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from .messages import Message
from .topology import Topology

Handler = Callable[[Message], None]


def current_topology() -> Topology:
    """The topology at `settings.BROKER_TOPOLOGY`, a dotted path."""
    return _load(settings.BROKER_TOPOLOGY)


@cache
def _load(path: str) -> Topology:
    topology = import_string(path)
    if not isinstance(topology, Topology):
        raise TypeError(f"BROKER_TOPOLOGY: {path} is not a Topology")
    return topology


@cache
def handler_at(path: str) -> Handler:
    """The function at a dotted path. Raises `ImportError` when there is none, `TypeError` when it is not one."""
    function: Handler = import_string(path)
    if not callable(function):
        raise TypeError(f"{path} is not a function")
    return function
