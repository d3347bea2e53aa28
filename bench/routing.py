"""Routing keys never seen before over many topic bindings: the compiled automaton beside a loop of expressions.

The bindings are those of a platform where each studio listens to what concerns it: two in five name every word, the
others have wildcards. Every key is routed once; every other one ends in a word that occurs nowhere else.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product
from statistics import median

from bench.report import Row
from broker.messages import Message
from broker.routing import Destination, route
from broker.topics import words
from broker.topology import Binding, Exchange, ExchangeType, Topology, WorkQueue

BINDINGS, MANY_BINDINGS = 1_000, 10_000
ROUNDS = 5
KEYS, BASELINE_KEYS = 1_500, 100  # a round; the loop is too slow for as many
AT_LEAST = 50.0
EVENTS = ("published", "updated", "recalled", "scheduled")
CATEGORIES = ("movies", "tv", "sports", "documentaries", "kids")
SHAPES = {
    "release.{event}.{category}.{studio}": 40,
    "release.*.{category}.{studio}": 20,
    "release.*.*.{studio}": 15,
    "release.#.{studio}": 15,
    "*.{event}.{category}.{studio}.#": 8,
    "#.{studio}": 2,
}


def run() -> list[Row]:
    """Measure microseconds a message, in interleaved rounds."""
    few, many = _Case(BINDINGS), _Case(MANY_BINDINGS)
    rounds = []
    for _ in range(ROUNDS):
        loop = _microseconds(few.by_expressions, few.messages()[:BASELINE_KEYS])
        rounds.append(
            (_microseconds(few.by_route, few.messages()), loop, _microseconds(many.by_route, many.messages()))
        )
    ours, theirs, grown = (median(times) for times in zip(*rounds, strict=True))
    return [
        Row(
            scenario="routing",
            metric=f"an unseen key over {BINDINGS:,} bindings",
            value=round(ours, 2),
            unit="µs",
            baseline=round(theirs, 2),
            ratio=round(theirs / ours, 1),
            goal=f">= {AT_LEAST:g} x a loop over compiled expressions",
            met=theirs / ours >= AT_LEAST,
        ),
        Row(
            scenario="routing",
            metric=f"the same over {MANY_BINDINGS:,} bindings",
            value=round(grown, 2),
            unit="µs",
            baseline=round(ours, 2),
            ratio=round(grown / ours, 2),
            goal=f"< {MANY_BINDINGS / BINDINGS:g} x that",
            met=grown / ours < MANY_BINDINGS / BINDINGS,
        ),
    ]


def _microseconds(match: Callable[[Sequence[Message]], object], messages: Sequence[Message]) -> float:
    start = time.perf_counter()
    match(messages)
    return (time.perf_counter() - start) / len(messages) * 1e6


class _Case:
    """So many bindings, compiled both ways, and keys for them."""

    def __init__(self, count: int) -> None:
        self._random = random.Random(count)
        studios = [f"studio-{n}" for n in range(count // 2)]
        shapes = self._random.choices([*SHAPES], [*SHAPES.values()], k=count)
        places = self._random.choices([*product(EVENTS, CATEGORIES, studios)], k=count)
        patterns = [
            shape.format(event=event, category=category, studio=studio)
            for shape, (event, category, studio) in zip(shapes, places, strict=True)
        ]
        self._expressions = [(as_expression(pattern), f"queue-{n}") for n, pattern in enumerate(patterns)]
        self._topology = _topology(
            {name: pattern for pattern, (_, name) in zip(patterns, self._expressions, strict=True)}
        )
        self._keys = self._fresh_keys(studios)
        self._check(self.messages()[:BASELINE_KEYS])

    def _fresh_keys(self, studios: Sequence[str]) -> Iterator[str]:
        every = [*product(EVENTS, CATEGORIES, studios)]
        self._random.shuffle(every)
        for number, place in enumerate(every):
            key = ".".join(("release", *place))
            yield key
            yield f"{key}.{number}"

    def messages(self) -> list[Message]:
        """Messages whose routing keys were never given before."""
        return [Message(type="t", data={}, key="k", exchange="x", routing_key=key) for key in islice(self._keys, KEYS)]

    def by_route(self, messages: Sequence[Message]) -> list[tuple[Destination, ...]]:
        return [route(message, self._topology) for message in messages]

    def by_expressions(self, messages: Sequence[Message]) -> list[list[str]]:
        keys = [message.routing_key for message in messages]
        return [[name for expression, name in self._expressions if expression.fullmatch(key)] for key in keys]

    def _check(self, messages: Sequence[Message]) -> None:
        """Both say the same; and ours is compiled now."""
        ours = [sorted(place.name for place in places) for places in self.by_route(messages)]
        if ours != [sorted(names) for names in self.by_expressions(messages)]:
            raise AssertionError("The two ways to match differ")


def _topology(patterns: Mapping[str, str]) -> Topology:
    return Topology(
        exchanges=(Exchange(name="x", type=ExchangeType.TOPIC),),
        streams=(),
        queues=tuple(WorkQueue(name=name, handler="none") for name in patterns),
        bindings=tuple(Binding(exchange="x", routing_key=pattern, to=name) for name, pattern in patterns.items()),
        groups=(),
    )


def as_expression(pattern: str) -> re.Pattern[str]:
    """The fastest regular expression that we know for a pattern in which no `#` follows another."""
    parts: list[str] = []
    for number, word in enumerate(words(pattern)):
        dot = r"\." if number and parts[-1] != _LEADING else ""
        if word == "#":
            parts.append(_FURTHER if number else _LEADING)
        else:
            parts.append(dot + ("[^.]*" if word == "*" else re.escape(word)))
    return re.compile("".join(parts))


_LEADING, _FURTHER = r"(?:.*\.)?", r"(?:\..*)?"
