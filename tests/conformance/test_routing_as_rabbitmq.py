"""Our routing beside RabbitMQ's: random topologies are declared in both, random messages must reach the same queues."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Sequence

import aio_pika
from aio_pika.abc import AbstractChannel
from aiormq.abc import DeliveredMessage

from broker.messages import Message
from broker.routing import route
from broker.topology import Topology
from ott.embedded.rabbitmq import RabbitMQ
from tests.support.random_topologies import Chance

TOPOLOGIES = 400 if os.environ.get("OTT_SOAK") else 20
MESSAGES = 10  # to each
AT_ONCE = 8
SEED = int(os.environ.get("OTT_SEED", "1"))


async def test_random_messages_reach_the_same_queues_as_in_rabbitmq(rabbitmq: RabbitMQ) -> None:
    room = asyncio.Semaphore(AT_ONCE)
    async with await aio_pika.connect(rabbitmq.url) as connection:

        async def compared(number: int) -> int:
            chance = Chance(SEED * 1_000_000 + number, prefix=f"{SEED}-{number}-")
            topology = chance.topology()
            messages = [chance.message(topology) for _ in range(MESSAGES)]
            async with room, connection.channel(on_return_raises=False) as channel:
                theirs = await _routed_by_rabbitmq(channel, topology, messages)
            ours = [{place.name for place in route(message, topology)} for message in messages]
            for message, us, them in zip(messages, ours, theirs, strict=True):
                assert us == them, (number, message.exchange, message.routing_key, message.headers, topology)
            return sum(map(bool, ours))

        routable = sum(await asyncio.gather(*map(compared, range(TOPOLOGIES))))
    # The pairs are worth comparing: neither is everything unroutable nor nothing.
    assert 0.3 < routable / (TOPOLOGIES * MESSAGES) < 0.95


async def _routed_by_rabbitmq(
    channel: AbstractChannel, topology: Topology, messages: Sequence[Message]
) -> list[set[str]]:
    """The names of the queues that each message reached."""
    queues = {queue.name: await channel.declare_queue(queue.name, exclusive=True) for queue in topology.queues}
    exchanges = {
        each.name: await channel.declare_exchange(
            each.name, each.type.value, arguments={"alternate-exchange": each.alternate} if each.alternate else None
        )
        for each in topology.exchanges
    }
    for binding in topology.bindings:
        end = queues.get(binding.to) or exchanges[binding.to]
        await end.bind(exchanges[binding.exchange], binding.routing_key, arguments=dict(binding.headers))
    returned = await asyncio.gather(
        *(
            exchanges[message.exchange].publish(
                aio_pika.Message(str(number).encode(), headers=dict(message.headers)), message.routing_key
            )
            for number, message in enumerate(messages)
        )
    )
    reached: dict[int, set[str]] = defaultdict(set)
    for name, queue in queues.items():
        waiting = (await channel.declare_queue(name, passive=True)).declaration_result.message_count or 0
        for _ in range(waiting):
            got = await queue.get(no_ack=True)
            assert name not in reached[int(got.body)], "RabbitMQ delivered a message twice"
            reached[int(got.body)].add(name)
    for number in range(len(messages)):
        is_returned = isinstance(returned[number], DeliveredMessage)
        assert is_returned == (not reached[number]), "mandatory"
    for each in exchanges.values():
        await each.delete()
    return [reached[number] for number in range(len(messages))]
