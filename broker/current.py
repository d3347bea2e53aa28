"""The topology that settings name, and what dotted paths in it stand for."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

from .errors import UnknownName
from .messages import Message
from .topology import Group, Stream, Topology, WorkQueue

Handler = Callable[[Message], None]
Part = TypeVar("Part", Group, Stream, WorkQueue)


def current_topology() -> Topology:
    """The topology at `settings.BROKER_TOPOLOGY`, a dotted path."""
    return _load(settings.BROKER_TOPOLOGY)


@cache
def _load(path: str) -> Topology:
    topology = import_string(path)
    if not isinstance(topology, Topology):
        raise TypeError(f"BROKER_TOPOLOGY: {path} is not a Topology")
    return topology


def group_named(name: str) -> Group:
    """The group of that name. Raises `UnknownName`."""
    return _named("group", name, current_topology().groups)


def stream_named(name: str) -> Stream:
    """The stream of that name. Raises `UnknownName`."""
    return _named("stream", name, current_topology().streams)


def queue_named(name: str) -> WorkQueue:
    """The work queue of that name. Raises `UnknownName`."""
    return _named("work queue", name, current_topology().queues)


def _named(kind: str, name: str, known: Sequence[Part]) -> Part:
    for part in known:
        if part.name == name:
            return part
    raise UnknownName(kind=kind, name=name, known=[part.name for part in known])


def partitions_of(stream: str) -> int:
    """How many partitions the current topology gives a stream. Raises `UnknownName`."""
    return stream_named(stream).partitions


@cache
def handler_at(path: str) -> Handler:
    """The function at a dotted path. Raises `ImportError` when there is none, `TypeError` when it is not one."""
    function: Handler = import_string(path)
    if not callable(function):
        raise TypeError(f"{path} is not a function")
    return function
