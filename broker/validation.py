"""Mistakes in a topology, found before anything runs and reported all at once."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta

from .current import handler_at
from .envelope import MAX_SHORT_BYTES, check_headers
from .errors import InvalidMessage, InvalidTopology
from .matchers import X_MATCH, X_MATCH_WORDS, compared_headers, match_word
from .messages import HeaderValue
from .shape_checks import shape_problems
from .topics import words
from .topology import Binding, Exchange, ExchangeType, Semantics, Stream, Topology

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,127}")


def check(topology: Topology) -> None:
    """Raise `InvalidTopology` with every mistake there is."""
    if found := problems(topology):
        raise InvalidTopology(found)


def problems(topology: Topology) -> list[str]:
    """Every mistake there is, one sentence each."""
    finders = (_names, _numbers, _references, _groups, _bindings, _unreached, _cycles, _handlers, shape_problems)
    return [problem for finder in finders for problem in finder(topology)]


def _names(topology: Topology) -> Iterator[str]:
    for kind, names in (
        ("exchange, stream or queue", _places(topology)),  # a binding's `to` must mean one of them
        ("group", [group.name for group in topology.groups]),
    ):
        for name, count in Counter(names).items():
            if count > 1:
                yield f"The name {name!r} stands for more than one {kind}."
            if not _NAME.fullmatch(name):
                yield f"{name!r} is no name for any {kind}: it must match {_NAME.pattern}."


def _numbers(topology: Topology) -> Iterator[str]:
    allowed = [(f"Stream {stream.name!r}", "partitions", stream.partitions) for stream in topology.streams]
    allowed += [(f"Queue {queue.name!r}", "max_attempts", queue.max_attempts) for queue in topology.queues]
    allowed += [(f"Group {group.name!r}", "max_attempts", group.max_attempts) for group in topology.groups]
    allowed += [(f"Group {group.name!r}", "messages in a batch", group.batch) for group in topology.groups]
    yield from (f"{place} has {number} {what}: it needs at least 1." for place, what, number in allowed if number < 1)
    for stream in topology.streams:
        yield from (f"Stream {stream.name!r} {problem}." for problem in _retention_problems(stream))
    for queue in topology.queues:
        if queue.lease_seconds <= 0:
            yield f"Queue {queue.name!r} has a lease of {queue.lease_seconds} seconds."
        if not queue.lane:
            yield f"Queue {queue.name!r} has no lane."


def _retention_problems(stream: Stream) -> Iterator[str]:
    if stream.max_age is not None and stream.max_age <= timedelta():
        yield f"has a max_age of {stream.max_age}: everything would be too old"
    if stream.max_bytes is not None and stream.max_bytes < stream.partitions:
        yield f"has {stream.max_bytes} max_bytes: it needs at least 1 a partition"
    if stream.trim_unread and stream.max_age is None and stream.max_bytes is None:
        yield "has trim_unread, but neither max_age nor max_bytes to trim by"


def _references(topology: Topology) -> Iterator[str]:
    exchanges = {exchange.name for exchange in topology.exchanges}
    for exchange in topology.exchanges:
        if exchange.alternate is not None and exchange.alternate not in exchanges:
            yield f"Exchange {exchange.name!r} has the alternate {exchange.alternate!r}, which is no exchange."
    for binding in topology.bindings:
        if binding.exchange not in exchanges:
            yield f"{_named(binding)} starts at an unknown exchange."
        if binding.to not in _places(topology):
            yield f"{_named(binding)} leads to an unknown exchange, stream or queue."


def _groups(topology: Topology) -> Iterator[str]:
    streams = {stream.name for stream in topology.streams}
    for group in topology.groups:
        if group.stream not in streams:
            yield f"Group {group.name!r} reads {group.stream!r}, which is no stream."
        if not group.handlers:
            yield f"Group {group.name!r} has no handlers."
        if group.time_limit <= 0:
            yield f"Group {group.name!r} has a time limit of {group.time_limit} seconds."
        if group.batch > 1 and group.semantics is not Semantics.EXACTLY_ONCE:
            yield f"Group {group.name!r} has batches of {group.batch}, which only exactly_once can take back."


def _bindings(topology: Topology) -> Iterator[str]:
    exchanges = {exchange.name: exchange for exchange in topology.exchanges}
    seen: set[str] = set()
    for binding in topology.bindings:
        if repr(binding) in seen:  # as text: true is not 1
            yield f"{_named(binding)} is there twice."
        seen.add(repr(binding))
        if exchange := exchanges.get(binding.exchange):
            yield from (f"{_named(binding)} {problem}." for problem in _binding_problems(binding, exchange))


def _unreached(topology: Topology) -> Iterator[str]:
    """What no message can ever come to, whoever publishes it."""
    bound_to = {binding.to for binding in topology.bindings}
    for stream in topology.streams:
        if stream.name not in bound_to:
            yield f"Stream {stream.name!r} never gets a message: no binding leads to it."
    for queue in topology.queues:
        if queue.name not in bound_to:
            yield f"Queue {queue.name!r} never gets a message: no binding leads to it."
    for exchange in topology.exchanges:
        outward = [binding for binding in topology.bindings if binding.exchange == exchange.name]
        if not outward and exchange.alternate is None:
            yield f"Exchange {exchange.name!r} leads nowhere: it has neither a binding nor an alternate."
        if exchange.alternate and (total := [each for each in outward if _takes_all(each, exchange)]):
            yield f"The alternate of {exchange.name!r} never gets a message: {_named(total[0])} takes every one."


def _takes_all(binding: Binding, exchange: Exchange) -> bool:
    if exchange.type is ExchangeType.HEADERS:
        return match_word(binding).startswith("all") and not compared_headers(binding)
    is_everything = set(words(binding.routing_key)) == {"#"}
    return exchange.type is ExchangeType.FANOUT or (exchange.type is ExchangeType.TOPIC and is_everything)


def _binding_problems(binding: Binding, exchange: Exchange) -> Iterator[str]:
    if exchange.type is ExchangeType.HEADERS:
        yield from _header_problems(binding)
    elif binding.headers:
        yield f"has headers, which a {exchange.type} exchange never looks at"
    if binding.routing_key and exchange.type in (ExchangeType.HEADERS, ExchangeType.FANOUT):
        yield f"has a routing key, which a {exchange.type} exchange never looks at"
    if "\0" in binding.routing_key:
        yield "can never match: no routing key holds a NUL character"
    if _shortest_match(binding, exchange) > MAX_SHORT_BYTES:
        yield f"can never match: a routing key has at most {MAX_SHORT_BYTES} bytes"


def _header_problems(binding: Binding) -> Iterator[str]:
    mode, compared = binding.headers.get(X_MATCH, "all"), compared_headers(binding)
    impossible = [problem for name, value in compared.items() if (problem := _why_impossible(name, value))]
    if mode not in X_MATCH_WORDS:
        yield f"has the x-match {mode!r}, which is none of {', '.join(X_MATCH_WORDS)}"
    elif str(mode).startswith("any") and len(impossible) == len(compared):
        yield f"can never match: {mode} of {impossible[0] if impossible else 'no headers'}"
    elif str(mode).startswith("all") and impossible:
        yield f"can never match: {impossible[0]}"


def _why_impossible(name: str, value: HeaderValue) -> str:
    try:
        check_headers({name: value})
    except InvalidMessage as error:
        return str(error)
    return ""


def _shortest_match(binding: Binding, exchange: Exchange) -> int:
    """The length in bytes of the shortest routing key that could match."""
    if exchange.type is not ExchangeType.TOPIC:
        return len(binding.routing_key.encode())
    needed = [word for word in words(binding.routing_key) if word != "#"]
    return sum(len(word.encode()) for word in needed if word != "*") + max(len(needed) - 1, 0)


def _cycles(topology: Topology) -> Iterator[str]:
    follows: dict[str, list[str]] = {exchange.name: [] for exchange in topology.exchanges}
    for exchange in topology.exchanges:
        if exchange.alternate in follows:
            follows[exchange.name].append(exchange.alternate)
    for binding in topology.bindings:
        if binding.exchange in follows and binding.to in follows:
            follows[binding.exchange].append(binding.to)
    reported: set[frozenset[str]] = set()
    for start in follows:
        cycle = _way_back(start, follows)
        if cycle and frozenset(cycle) not in reported:
            reported.add(frozenset(cycle))
            yield f"Messages would go in a circle: {' → '.join([*cycle, start])}."


def _way_back(start: str, follows: Mapping[str, list[str]]) -> list[str] | None:
    """The exchanges of a way from `start` back to it, without the return; None when there is none."""
    ways, seen = [[start]], {start}
    for way in ways:
        for name in follows[way[-1]]:
            if name == start:
                return way
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return None


def _handlers(topology: Topology) -> Iterator[str]:
    named = [(f"Queue {queue.name!r}", queue.handler) for queue in topology.queues]
    named += [(f"Group {group.name!r}", path) for group in topology.groups for path in group.handlers.values()]
    named += [(f"The shadow of group {group.name!r}", group.shadow.effect) for group in topology.groups if group.shadow]
    for owner, path in named:
        try:
            handler_at(path)
        except (ImportError, TypeError) as error:
            yield f"{owner} has the handler {path!r}, which cannot be had: {error}."


def _places(topology: Topology) -> list[str]:
    names = [exchange.name for exchange in topology.exchanges]
    names += [stream.name for stream in topology.streams]
    return [*names, *(queue.name for queue in topology.queues)]


def _named(binding: Binding) -> str:
    by = binding.routing_key or dict(binding.headers)
    return f"The binding {binding.exchange!r} → {binding.to!r} by {by!r}"
