"""Transformers: what a binding does to a message on its way. One idea, `Message → Message`, put in a row.

A message that was transformed keeps its id, key and position: it is the same message in another shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from . import formats, schemas
from .errors import InvalidMessage
from .messages import Format, Message


class _Step:
    """A step (see `broker.topology.Transformer`) that leaves type and fields as they are."""

    def type_after(self, type_: str) -> str:
        return type_

    def fields_after(self, fields: frozenset[str]) -> frozenset[str]:
        return fields


@dataclass(frozen=True)
class Rename(_Step):
    """Gives fields of the data other names: {old: new}."""

    names: Mapping[str, str]

    def __call__(self, message: Message) -> Message:
        self.fields_after(frozenset(message.data))
        return replace(message, data={self.names.get(name, name): value for name, value in message.data.items()})

    def fields_after(self, fields: frozenset[str]) -> frozenset[str]:
        _require(self.names, fields)
        kept = fields - set(self.names)
        for new in self.names.values():
            if new in kept:
                raise InvalidMessage(f"data.{new}", "is there already, so nothing can be renamed to it")
        return kept | set(self.names.values())


@dataclass(frozen=True)
class Project(_Step):
    """Keeps these fields of the data and leaves the others out."""

    fields: tuple[str, ...]

    def __call__(self, message: Message) -> Message:
        self.fields_after(frozenset(message.data))
        return replace(message, data={name: message.data[name] for name in self.fields})

    def fields_after(self, fields: frozenset[str]) -> frozenset[str]:
        _require(self.fields, fields)
        return frozenset(self.fields)


@dataclass(frozen=True)
class Retype(_Step):
    """Says of which type the message is in its new shape: {old: new}; the data is checked against that schema."""

    types: Mapping[str, str]
    version: int = 1

    def __call__(self, message: Message) -> Message:
        retyped = replace(message, type=self.type_after(message.type), version=self.version)
        schemas.validate(retyped)
        return retyped

    def type_after(self, type_: str) -> str:
        try:
            return self.types[type_]
        except KeyError:
            raise InvalidMessage("type", f"{type_!r} has no type to become") from None


@dataclass(frozen=True)
class Convert(_Step):
    """Writes the data in another format. A stream's own format is this step, done last."""

    format: Format

    def __call__(self, message: Message) -> Message:
        return formats.encode(message, self.format)


def _require(names: Mapping[str, str] | tuple[str, ...], fields: frozenset[str]) -> None:
    for name in names:
        if name not in fields:
            raise InvalidMessage(f"data.{name}", "is missing")
