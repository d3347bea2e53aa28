"""Which shape a message has where it goes: what a binding's transformers make of it, in the format of the stream."""

from functools import lru_cache

from . import schemas
from .errors import InvalidMessage
from .messages import Format, Message
from .routing import Destination
from .topology import Topology, Transformer
from .transforms import Convert

Steps = tuple[Transformer, ...]


def shape(message: Message, place: Destination, topology: Topology) -> Message:
    """The message as it goes to a stream or work queue. Raises `InvalidMessage` naming the field and the place."""
    steps = steps_by_place(topology).get(place.name)
    if steps is None:
        return message
    try:
        message = schemas.upcast(message)  # transformers know the newest version alone
        for step in steps:
            message = step(message)
    except InvalidMessage as error:
        raise InvalidMessage(error.field, f"on the way to {place.name!r}: {error.problem}") from error
    return message


@lru_cache(maxsize=8)
def steps_by_place(topology: Topology) -> dict[str, Steps]:
    """What is done on the way to each stream and queue; those to which messages go as they are have no entry.

    All bindings that lead to a place transform alike (`broker/validation.py`), so a place has messages in one shape.
    """
    steps: dict[str, Steps] = {binding.to: binding.transform for binding in topology.bindings if binding.transform}
    for stream in topology.streams:
        if stream.format is not Format.JSON:
            steps[stream.name] = (*steps.get(stream.name, ()), Convert(stream.format))
    return steps


@lru_cache(maxsize=8)
def exchanges_to_plain_streams(topology: Topology) -> tuple[str, ...]:
    """The exchanges whose messages reach nothing but streams, as they were published: nobody need read their data."""
    ways = [(binding.exchange, binding.to) for binding in topology.bindings]
    ways += [(exchange.name, exchange.alternate) for exchange in topology.exchanges if exchange.alternate]
    others = {queue.name for queue in topology.queues} | steps_by_place(topology).keys()
    known = -1
    while known != len(others):  # exchanges may be bound to exchanges
        known = len(others)
        others |= {exchange for exchange, to in ways if to in others}
    return tuple(exchange.name for exchange in topology.exchanges if exchange.name not in others)
