"""What a change of a JSON schema would do to data that was written before it: every break, with the field's name."""

from collections.abc import Iterator, Mapping
from typing import Any

_ANYTHING = frozenset({"string", "integer", "number", "boolean", "object", "array", "null"})
# Bounds: by which word, and whether a greater number lets less through.
_BOUNDS = {
    "minimum": True,
    "exclusiveMinimum": True,
    "minLength": True,
    "minItems": True,
    "minProperties": True,
    "maximum": False,
    "exclusiveMaximum": False,
    "maxLength": False,
    "maxItems": False,
    "maxProperties": False,
}
_EXACT = ("format", "pattern", "multipleOf", "uniqueItems")  # any other value than before, or a new one, narrows


def breaks_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why data that fits `old` might not fit `new`, or would have lost something."""
    return list(_compare("", _Schema(old, old), _Schema(new, new)))


class _Schema:
    """A JSON schema with its references followed."""

    def __init__(self, plain: Mapping[str, Any], root: Mapping[str, Any]) -> None:
        self._root = root
        while "$ref" in plain:
            plain = root["$defs"][plain["$ref"].rpartition("/")[2]]
        self.plain = plain

    def inner(self, plain: Mapping[str, Any]) -> "_Schema":
        return _Schema(plain, self._root)

    def options(self) -> "list[_Schema]":
        """The schemas of which one has to fit; itself when there is no choice."""
        if "anyOf" not in self.plain:
            return [self]
        return [option for each in self.plain["anyOf"] for option in self.inner(each).options()]

    def types(self) -> frozenset[str]:
        given = self.plain.get("type")
        named = {given} if isinstance(given, str) else set(given or _ANYTHING)
        return frozenset(named | {"integer"} if "number" in named else named)  # each integer is a number

    def values(self) -> list[Any] | None:
        """The only values that fit; None when there is no such list."""
        return [self.plain["const"]] if "const" in self.plain else self.plain.get("enum")


def _compare(place: str, old: _Schema, new: _Schema) -> Iterator[str]:
    """Each of the old options needs a new one that lets all of it through."""
    for option in old.options():
        attempts = [list(_compare_option(place, option, each)) for each in new.options()]
        if all(attempts):
            same_type = [found for found, each in zip(attempts, new.options(), strict=True) if _meet(option, each)]
            if same_type:
                yield from min(same_type, key=len)
            else:
                yield f"{place or 'data'}: type narrowed, {_said(old)} became {_said(new)}"


def _meet(one: _Schema, other: _Schema) -> bool:
    return bool(one.types() & other.types())


def _said(schema: _Schema) -> str:
    return " or ".join(sorted({name for option in schema.options() for name in option.types()}))


def _compare_option(place: str, old: _Schema, new: _Schema) -> Iterator[str]:
    if not old.types() <= new.types():
        yield f"{place or 'data'}: type narrowed, {_said(old)} became {_said(new)}"
        return
    yield from _compare_values(place, old, new)
    yield from _compare_bounds(place, old.plain, new.plain)
    yield from _compare_fields(place, old, new)
    for word, step in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(new.plain.get(word), Mapping):
            before = old.plain.get(word)
            plain = before if isinstance(before, Mapping) else {}
            yield from _compare(f"{place}{step}", old.inner(plain), new.inner(new.plain[word]))


def _compare_values(place: str, old: _Schema, new: _Schema) -> Iterator[str]:
    allowed = new.values()
    if allowed is None:
        return
    before = old.values()
    if before is None:
        yield f"{place or 'data'}: type narrowed, only {allowed} are left"
    elif gone := [value for value in before if value not in allowed]:
        yield f"{place or 'data'}: type narrowed, without {gone}"


def _compare_bounds(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for word, greater_is_less in _BOUNDS.items():
        before, after = old.get(word), new.get(word)
        if after is not None and (before is None or (after > before if greater_is_less else after < before)):
            yield f"{place or 'data'}: type narrowed, {word} is {after} and was {before}"
    for word in _EXACT:
        if word in new and new[word] != old.get(word):
            yield f"{place or 'data'}: type narrowed, {word} is {new[word]} and was {old.get(word)}"


def _compare_fields(place: str, old: _Schema, new: _Schema) -> Iterator[str]:
    before, after = old.plain.get("properties"), new.plain.get("properties")
    if before is None or after is None:
        return
    was_required, is_required = set(old.plain.get("required", ())), set(new.plain.get("required", ()))
    for name in before:
        where = f"{place}.{name}".lstrip(".")
        if name not in after:
            yield f"{where}: field removed"
            continue
        if name in is_required - was_required:
            yield f"{where}: made required"
        yield from _compare(where, old.inner(before[name]), new.inner(after[name]))
    if new.plain.get("additionalProperties") is False and old.plain.get("additionalProperties") is not False:
        yield f"{place or 'data'}: type narrowed, fields without a name here are refused"
    for name in sorted(is_required - set(before)):
        yield f"{f'{place}.{name}'.lstrip('.')}: field added that stored messages lack, and required"
