"""Which streams and work queues a message goes to: pure, without a database."""

from collections.abc import Collection
from functools import lru_cache

from .hashing import key_hash
from .matchers import MATCHERS
from .messages import Addressed
from .topology import Stream, Topology, WorkQueue

Destination = Stream | WorkQueue


def route(message: Addressed, topology: Topology) -> tuple[Destination, ...]:
    """Every destination that the bindings lead to, each once, in a stable order; empty when the message is unroutable.

    Exchanges bound to exchanges are followed. Where no binding of an exchange matched, its alternate is, if it has one.
    """
    router = _compiled(topology)
    found: dict[str, Destination] = {}
    waiting = [message.exchange]
    for exchange in waiting:  # which grows meanwhile
        for name in router.next_names(exchange, message):
            if name in router.destinations:
                found[name] = router.destinations[name]
            elif name not in waiting:
                waiting.append(name)
    return tuple(found.values())


def partition_for(key: str, partitions: int) -> int:
    """The partition that all messages of `key` go to, in every process alike."""
    return key_hash(key) % partitions


class _Router:
    """A topology's bindings, compiled: a matcher for each exchange."""

    def __init__(self, topology: Topology) -> None:
        places: list[Destination] = [*topology.streams, *topology.queues]
        self.destinations = {place.name: place for place in places}
        self._alternates = {exchange.name: exchange.alternate for exchange in topology.exchanges}
        self._matchers = {exchange.name: MATCHERS[exchange.type]() for exchange in topology.exchanges}
        for binding in topology.bindings:
            self._matchers[binding.exchange].add(binding)

    def next_names(self, exchange: str, message: Addressed) -> Collection[str]:
        """Where a message goes from `exchange`; nowhere when that has left the topology."""
        matcher = self._matchers.get(exchange)
        if matcher and (names := matcher.match(message)):
            return names
        alternate = self._alternates.get(exchange)
        return (alternate,) if alternate else ()


@lru_cache(maxsize=8)
def _compiled(topology: Topology) -> _Router:
    return _Router(topology)
