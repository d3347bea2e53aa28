"""The registry of message schemas: what is published has one and keeps to it; old versions are upcast to the newest.

A type's schemas are in the module `events` of the app that publishes it, which is imported when Django starts.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .errors import InvalidMessage
from .messages import Message

Schema = TypeVar("Schema", bound=type[BaseModel])
Upcaster = Callable[[Message], Mapping[str, Any]]

_registry: dict[tuple[str, int], type[BaseModel]] = {}
_newest: dict[str, int] = {}
_upcasters: dict[tuple[str, int], Upcaster] = {}


def register(type_: str, /, version: int) -> Callable[[Schema], Schema]:
    """Class decorator: messages of this type and version carry data of this shape.

    Raises `TypeError` when the model lets unknown fields through, or another one holds the type and version.
    """

    def add(schema: Schema) -> Schema:
        if schema.model_config.get("extra") != "forbid":
            raise TypeError(f"The schema {schema.__name__} must forbid extra fields")
        known = _registry.setdefault((type_, version), schema)
        if known is not schema and known.__qualname__ != schema.__qualname__:
            raise TypeError(f"{type_} version {version} is registered as {known.__name__} already")
        _newest[type_] = max(version, _newest.get(type_, 0))
        return schema

    return add


def upcaster(type_: str, /, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Function decorator: it gives the data that a message of this version has in the next version.

    The schema of the old version may go when its upcaster is there. Raises `TypeError` for a second one.
    """

    def add(function: Upcaster) -> Upcaster:
        known = _upcasters.setdefault((type_, from_version), function)
        if known is not function and known.__qualname__ != function.__qualname__:
            raise TypeError(f"{type_} version {from_version} has the upcaster {known.__name__} already")
        return function

    return add


def registered() -> dict[tuple[str, int], type[BaseModel]]:
    """Every schema by type and version."""
    return dict(_registry)


def upcasters() -> set[tuple[str, int]]:
    """Every (type, version) that can be brought to the next version."""
    return set(_upcasters)


def newest_version(type_: str) -> int | None:
    """The newest version of a type; None when nobody has registered it."""
    return _newest.get(type_)


def schema_of(message: Message) -> type[BaseModel]:
    """The schema of the message's data. Raises `InvalidMessage`."""
    schema = _registry.get((message.type, message.version))
    if schema is None:
        raise InvalidMessage("type", f"no schema is registered for {message.type!r} version {message.version}")
    return schema


def validate(message: Message) -> None:
    """Check the data against its schema. Raises `InvalidMessage` naming the missing schema or the field at fault."""
    validated(message)


def validated(message: Message) -> BaseModel:
    """The data as an object of its schema. Raises as `validate`."""
    try:
        return schema_of(message).model_validate(dict(message.data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidMessage(".".join(["data", *map(str, first["loc"])]), first["msg"]) from error


def upcast(message: Message) -> Message:
    """The message in its type's newest version; itself when it is that already, or of a type that nobody registered.

    Raises `InvalidMessage` for a version that no upcaster knows, that is newer than this code, or whose upcast data
    does not fit the newest schema.
    """
    newest = _newest.get(message.type)
    if newest is None or message.version == newest:
        return message
    if message.version > newest:
        problem = f"{message.type!r} version {message.version} is newer than {newest}, the newest known here"
        raise InvalidMessage("schemaversion", problem)
    while message.version < newest:
        message = _next_version(message)
    validate(message)
    return message


def _next_version(message: Message) -> Message:
    step = _upcasters.get((message.type, message.version))
    if step is None:
        raise InvalidMessage("schemaversion", f"{message.type!r} version {message.version} has no upcaster")
    try:
        data = step(message)
    except (KeyError, TypeError, ValueError) as error:
        problem = f"version {message.version} cannot be upcast: {type(error).__name__}: {error}"
        raise InvalidMessage("data", problem) from error
    return replace(message, data=data, version=message.version + 1)
