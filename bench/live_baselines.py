"""What the live gateway is measured against: the stock Channels consumer, and a bare loop over uvicorn's sockets.

Run as `uvicorn bench.live_baselines:stock` or `:bare`, with `BENCH_LAYER` (core or pubsub), `BENCH_PREFIX` and
`REDIS_URL` set.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.conf import settings

from .live_audience import POSTED_TOPICS, follower

BARE_GROUP = "bare"
LAYERS = {"core": "channels_redis.core.RedisChannelLayer", "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer"}
CAPACITY = 10_000  # no layer is to drop anything here: a drop would look like speed

Send = Callable[[dict[str, Any]], Awaitable[None]]


def layer_settings(*, layer: str, prefix: str, redis_url: str) -> dict[str, Any]:
    """The settings of one of channels_redis's layers, `core` or `pubsub`."""
    config: dict[str, Any] = {"hosts": [redis_url], "prefix": prefix}
    if layer == "core":
        config["capacity"] = CAPACITY
    return {"BACKEND": LAYERS[layer], "CONFIG": config}


if not settings.configured:  # in a server of its own; the bench, which sends, has the project's
    own = layer_settings(
        layer=os.environ["BENCH_LAYER"], prefix=os.environ["BENCH_PREFIX"], redis_url=os.environ["REDIS_URL"]
    )
    settings.configure(CHANNEL_LAYERS={"default": own})


def group_of(topic: str) -> str:
    """Channels allows no colon in a group's name."""
    return topic.replace(":", ".")


class StockConsumer(AsyncWebsocketConsumer):  # type: ignore[misc] # Channels has no types
    """As Channels' tutorial has it: a group for each subscription, a send for each socket, filters in the handler.

    It joins the groups of those topics alone that the bench posts to, and looks nothing up: both to its advantage.
    """

    async def connect(self) -> None:
        """Join."""
        self.me = follower(int(self.scope["query_string"]))
        for topic in self.me.topics & POSTED_TOPICS:
            await self.channel_layer.group_add(group_of(topic), self.channel_name)
        await self.accept()
        await self.send(text_data="ready")

    async def bench_posted(self, event: dict[str, Any]) -> None:
        """Filter and send."""
        if self.me.wants(event["kind"], event["maturity"]):
            await self.send(text_data=event["frame"])


_sends: set[Send] = set()
_pump: list[asyncio.Task[None]] = []


async def _pump_all() -> None:
    """The loop: what the group is told goes to every socket."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(BARE_GROUP, channel)
    while True:
        message = await layer.receive(channel)
        for number, send in enumerate(list(_sends), start=1):
            await send({"type": "websocket.send", "text": message["frame"]})
            if number % 256 == 0:
                await asyncio.sleep(0)


async def bare(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    """No filters, no order, no users: what uvicorn itself can do."""
    if scope["type"] != "websocket":
        return
    if not _pump:
        _pump.append(asyncio.create_task(_pump_all()))
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "ready"})
    _sends.add(send)
    while (await receive())["type"] != "websocket.disconnect":
        pass
    _sends.discard(send)


stock = StockConsumer.as_asgi()
