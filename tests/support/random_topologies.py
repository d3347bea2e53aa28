"""Random exchanges, bindings and messages: small alphabets, so that much of it meets."""

import random
from collections.abc import Callable

from broker.messages import HeaderValue, Message
from broker.topology import Binding, Exchange, ExchangeType, Topology, WorkQueue

WORDS = ("u", "v", "w", "")
PATTERN_WORDS = (*WORDS, "*", "#", "#")
HEADER_NAMES = ("p", "q", "r", "x-s", "x-t")
HEADER_VALUES: tuple[HeaderValue, ...] = (0, 1, -1, 2**31, -(2**63), True, False, "1", "true", "", "é")
MATCH_WORDS = ("all", "any", "all-with-x", "any-with-x")


class Chance:
    """Repeatable by its seed; `prefix` keeps the names of one topology apart from those of others."""

    def __init__(self, seed: int, *, prefix: str = "") -> None:
        self._random = random.Random(seed)
        self._prefix = prefix

    def topology(self) -> Topology:
        """Two to five exchanges of any type, bound to queues and to each other, circles included."""
        chosen = self._random
        names = [f"{self._prefix}x{n}" for n in range(chosen.randint(2, 5))]
        exchanges = [
            Exchange(
                name=name,
                type=chosen.choice([*ExchangeType]),
                alternate=chosen.choice(names) if chosen.random() < 0.4 else None,
            )
            for name in names
        ]
        queues = [WorkQueue(name=f"{self._prefix}q{n}", handler="none") for n in range(chosen.randint(2, 5))]
        ends = [*(queue.name for queue in queues), *(queue.name for queue in queues), *names]
        bindings = [self._binding(chosen.choice(exchanges), chosen.choice(ends)) for _ in range(chosen.randint(3, 14))]
        return Topology(
            exchanges=tuple(exchanges), streams=(), queues=tuple(queues), bindings=tuple(bindings), groups=()
        )

    def message(self, topology: Topology) -> Message:
        """A message to any of the exchanges; one in two has a routing key that some binding names."""
        chosen = self._random
        key = chosen.choice(topology.bindings).routing_key if chosen.random() < 0.5 else self._words(PATTERN_WORDS)
        return Message(
            type="t",
            data={},
            key="k",
            exchange=chosen.choice(topology.exchanges).name,
            routing_key=key.replace("*", "u").replace("#", "v") if chosen.random() < 0.8 else key,
            headers=self._headers(),
        )

    def _binding(self, exchange: Exchange, to: str) -> Binding:
        make: dict[ExchangeType, Callable[[], Binding]] = {
            ExchangeType.DIRECT: lambda: Binding(exchange=exchange.name, to=to, routing_key=self._words(WORDS, most=2)),
            ExchangeType.TOPIC: lambda: Binding(exchange=exchange.name, to=to, routing_key=self._words(PATTERN_WORDS)),
            ExchangeType.FANOUT: lambda: Binding(exchange=exchange.name, to=to),
            ExchangeType.HEADERS: lambda: Binding(
                exchange=exchange.name, to=to, headers=self._headers() | self._match_word()
            ),
        }
        return make[exchange.type]()

    def _words(self, alphabet: tuple[str, ...], *, most: int = 5) -> str:
        return ".".join(self._random.choices(alphabet, k=self._random.randint(0, most)))

    def _headers(self) -> dict[str, HeaderValue]:
        names = self._random.sample(HEADER_NAMES, k=self._random.randint(0, 4))
        few = HEADER_VALUES if self._random.random() < 0.3 else (1, True)
        return {name: self._random.choice(few) for name in names}

    def _match_word(self) -> dict[str, HeaderValue]:
        return {"x-match": self._random.choice(MATCH_WORDS)} if self._random.random() < 0.9 else {}
