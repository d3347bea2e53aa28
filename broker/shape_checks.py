"""Mistakes in what bindings do to messages and in the formats of streams, found before anything runs."""

from collections.abc import Iterator

from . import schemas
from .avro_schemas import avro_schema
from .errors import InvalidMessage
from .flows import types_at
from .messages import Format
from .shapes import Steps, steps_by_place
from .topology import Binding, Topology
from .transforms import Convert, Retype


def shape_problems(topology: Topology) -> Iterator[str]:
    """Every mistake there is, one sentence each."""
    yield from _unlike(topology)
    exchanges = {exchange.name for exchange in topology.exchanges}
    for binding in topology.bindings:
        if binding.transform and binding.to in exchanges:
            yield f"The binding {binding.exchange!r} → {binding.to!r} transforms on the way to an exchange."
    queues = {queue.name for queue in topology.queues}
    arriving = types_at(topology)
    for place, steps in steps_by_place(topology).items():
        if place in queues and any(isinstance(step, Convert) for step in steps):
            yield f"Queue {place!r} would get converted messages; only streams have a format."
        for type_ in arriving.get(place, {}):
            yield from (f"{type_!r} on its way to {place!r}: {problem}." for problem in _type_problems(type_, steps))


def _unlike(topology: Topology) -> Iterator[str]:
    first: dict[str, Binding] = {}
    for binding in topology.bindings:
        known = first.setdefault(binding.to, binding)
        if known.transform != binding.transform:
            yield f"Bindings transform differently on the way to {binding.to!r}: it would hold messages in two shapes."


def _type_problems(type_: str, steps: Steps) -> Iterator[str]:
    newest = schemas.newest_version(type_)
    if newest is None:
        yield "no schema is registered for it"
        return
    fields = frozenset(schemas.registered()[type_, newest].model_fields)
    after, version = type_, newest
    for step in steps:
        try:
            fields, after = step.fields_after(fields), step.type_after(after)
        except InvalidMessage as error:
            yield str(error)
            return
        if isinstance(step, Retype):
            version = step.version
    yield from _result_problems(after, version, fields, is_avro=_is_avro(steps))


def _result_problems(type_: str, version: int, fields: frozenset[str], *, is_avro: bool) -> Iterator[str]:
    schema = schemas.registered().get((type_, version))
    if schema is None:
        yield f"no schema is registered for {type_!r} version {version}"
        return
    needed = {name for name, field in schema.model_fields.items() if field.is_required()}
    if missing := needed - fields:
        yield f"{type_!r} would lack {', '.join(sorted(missing))}"
    if unknown := fields - set(schema.model_fields):
        yield f"{type_!r} has no {', '.join(sorted(unknown))}"
    if is_avro:
        try:
            avro_schema(schema, name=f"{type_}.v{version}")
        except TypeError as error:
            yield str(error)


def _is_avro(steps: Steps) -> bool:
    return any(isinstance(step, Convert) and step.format is Format.AVRO for step in steps)
