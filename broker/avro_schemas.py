"""The Avro schema of a pydantic model, by way of its JSON schema: what JSON data may hold, Avro data may."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_STRINGS = {
    "uuid": {"type": "string", "logicalType": "uuid"},
    "date-time": {"type": "long", "logicalType": "timestamp-micros"},
    "date": {"type": "int", "logicalType": "date"},
}
_SIMPLE: dict[str, Any] = {"integer": "long", "number": "double", "boolean": "boolean", "null": "null"}


def avro_schema(model: type[BaseModel], *, name: str) -> dict[str, Any]:
    """The record for a model; `name` is made of words with dots. Raises `TypeError` naming a field without a shape."""
    described = model.model_json_schema()
    return _Derivation(described.get("$defs", {})).record(described, _name(name))


class _Derivation:
    """One walk over a JSON schema."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions

    def record(self, schema: Mapping[str, Any], name: str) -> dict[str, Any]:
        fields = [
            {"name": field, "type": self._of(inner, f"{name}.{_name(field)}")}
            for field, inner in schema.get("properties", {}).items()
        ]
        return {"type": "record", "name": name, "fields": fields}

    def _of(self, schema: Mapping[str, Any], name: str) -> Any:
        if "$ref" in schema:
            return self._of(self._definitions[schema["$ref"].rpartition("/")[2]], name)
        if "anyOf" in schema:
            return [self._of(each, f"{name}.option{number}") for number, each in enumerate(schema["anyOf"])]
        match schema.get("type"):
            case "string":
                return _STRINGS.get(schema.get("format", ""), "string")
            case "array" if "items" in schema:
                return {"type": "array", "items": self._of(schema["items"], f"{name}.item")}
            case "object":
                return self._object(schema, name)
            case str(word) if word in _SIMPLE:
                return _SIMPLE[word]
            case _:
                raise _shapeless(schema, name)

    def _object(self, schema: Mapping[str, Any], name: str) -> dict[str, Any]:
        if "properties" in schema:
            return self.record(schema, name)
        if isinstance(values := schema.get("additionalProperties"), Mapping):
            return {"type": "map", "values": self._of(values, f"{name}.value")}
        raise _shapeless(schema, name)


def _shapeless(schema: Mapping[str, Any], name: str) -> TypeError:
    return TypeError(f"{name} has no shape that Avro knows: {dict(schema)}")


def _name(words: str) -> str:
    return ".".join(word.replace("-", "_") for word in words.split("."))
