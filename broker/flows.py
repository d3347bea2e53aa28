"""Which event types can arrive where, by what the exchanges declare: for checks, and to describe the system."""

from collections.abc import Iterator

from .shapes import steps_by_place
from .topics import words
from .topology import Binding, Exchange, ExchangeType, Topology

Types = dict[str, None]  # an ordered set


def types_at(topology: Topology) -> dict[str, Types]:
    """The types that can arrive at each exchange, stream and queue, before anything is transformed."""
    arriving: dict[str, Types] = {exchange.name: dict.fromkeys(exchange.types) for exchange in topology.exchanges}
    has_moved = True
    while has_moved:  # exchanges may be bound to exchanges
        has_moved = False
        for to, passing in _passing(topology, arriving):
            known = arriving.setdefault(to, {})
            has_moved |= not passing.keys() <= known.keys()
            known |= passing
    return arriving


def types_after(topology: Topology, place: str) -> Types:
    """The types that a stream or queue holds: what arrives there, transformed. Raises `InvalidMessage`."""
    after: Types = {}
    for type_ in types_at(topology).get(place, {}):
        after[_transformed(type_, topology, place)] = None
    return after


def _transformed(type_: str, topology: Topology, place: str) -> str:
    for step in steps_by_place(topology).get(place, ()):
        type_ = step.type_after(type_)
    return type_


def _passing(topology: Topology, arriving: dict[str, Types]) -> Iterator[tuple[str, Types]]:
    exchanges = {exchange.name: exchange for exchange in topology.exchanges}
    for binding in topology.bindings:
        if source := exchanges.get(binding.exchange):
            types = arriving[source.name]
            yield binding.to, {type_: None for type_ in types if _may_pass(type_, binding, source)}
    for exchange in topology.exchanges:
        if exchange.alternate in exchanges:
            yield exchange.alternate, arriving[exchange.name]


def _may_pass(type_: str, binding: Binding, source: Exchange) -> bool:
    """Whether a routing key that begins with the type's words can match."""
    if source.type is ExchangeType.DIRECT:
        return binding.routing_key == type_ or binding.routing_key.startswith(f"{type_}.")
    if source.type is ExchangeType.TOPIC:
        return _can_begin(words(binding.routing_key), words(type_))
    return True


def _can_begin(pattern: list[str], beginning: list[str]) -> bool:
    """Whether the pattern matches some key that begins with these words."""
    if not beginning:
        return True
    if not pattern:
        return False
    if pattern[0] == "#":
        return _can_begin(pattern[1:], beginning) or _can_begin(pattern, beginning[1:])
    return pattern[0] in ("*", beginning[0]) and _can_begin(pattern[1:], beginning[1:])
