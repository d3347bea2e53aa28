"""A JSON schema's fields in few words, for people: `broker_schemas` and the page of the AsyncAPI document."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldWords:
    """One field of an object."""

    name: str
    kind: str
    is_needed: bool
    description: str


def fields_in_words(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[FieldWords]:
    """The fields of an object's schema; `definitions` holds what its references name by their last word."""
    for name, field in schema.get("properties", {}).items():
        yield FieldWords(
            name=name,
            kind=_kind(field, definitions),
            is_needed=name in schema.get("required", ()),
            description=field.get("description", ""),
        )


def _kind(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return _kind(definitions[field["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in field:
        return " or ".join(_kind(option, definitions) for option in field["anyOf"])
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "const" in field:
        return f"“{field['const']}”"
    if "items" in field:
        return f"array of {_kind(field['items'], definitions)}"
    return str(field.get("format") or field.get("type") or "anything")
