"""The registry of message schemas: what is published has one, and keeps to it."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from .errors import InvalidMessage
from .messages import Message

Schema = TypeVar("Schema", bound=type[BaseModel])

_registry: dict[tuple[str, int], type[BaseModel]] = {}


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
        return schema

    return add


def registered() -> dict[tuple[str, int], type[BaseModel]]:
    """Every schema by type and version."""
    return dict(_registry)


def validate(message: Message) -> None:
    """Check the data against its schema. Raises `InvalidMessage` naming the missing schema or the field at fault."""
    schema = _registry.get((message.type, message.version))
    if schema is None:
        raise InvalidMessage("type", f"no schema is registered for {message.type!r} version {message.version}")
    try:
        schema.model_validate(dict(message.data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidMessage(".".join(["data", *map(str, first["loc"])]), first["msg"]) from error
