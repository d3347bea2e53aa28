"""The application that the broker is measured with: one exchange, one stream, one group whose handler does nothing."""

import os
import time

from django.db import transaction
from pydantic import BaseModel, ConfigDict

from broker import schemas
from broker.messages import Message
from broker.topology import Binding, Exchange, ExchangeType, Group, Stream, Topology

TIMES = "BENCH_TIMES"  # the environment variable that names the file for what `handle` notes
TOPOLOGY = "bench.broker_app.topology"
PARTITIONS = 2

topology = Topology(
    exchanges=(Exchange(name="measured", type=ExchangeType.TOPIC),),
    streams=(Stream(name="log", partitions=PARTITIONS),),
    queues=(),
    bindings=(Binding(exchange="measured", routing_key="measured.#", to="log"),),
    groups=(Group(name="bench", stream="log", handlers={"bench.measured": "bench.broker_app.handle"}, batch=500),),
)


@schemas.register("bench.measured", version=1)
class Measured(BaseModel):
    """`sent_at` is in seconds of the wall clock; 0 where nobody wants to know how long it took."""

    model_config = ConfigDict(extra="forbid")

    n: int
    text: str
    sent_at: float = 0.0


def measured(n: int, *, text: str, sent_at: float = 0.0) -> Message:
    """The message number `n`; 64 keys take turns."""
    return Message(
        type="bench.measured",
        data={"n": n, "text": text, "sent_at": sent_at},
        key=f"bench:{n % 64}",
        exchange="measured",
        routing_key="measured.one",
    )


def handle(message: Message) -> None:
    """Note the seconds since `sent_at`, once the effects of this call would be there to see."""
    if sent_at := message.data["sent_at"]:
        transaction.on_commit(lambda: _note(time.time() - sent_at))


def _note(seconds: float) -> None:
    with open(os.environ[TIMES], "a") as times:  # noqa: PTH123
        times.write(f"{seconds}\n")
