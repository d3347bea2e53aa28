"""The schemas of messages as they were last agreed upon, and what a change would do to messages that are stored."""

from collections.abc import Iterator, Mapping
from typing import Any

from . import schemas
from .compatibility import breaks_between

Snapshot = dict[str, Any]  # {type: {"versions": {"1": JSON schema}, "upcasters": [1]}}


def snapshot() -> Snapshot:
    """The registry as JSON, sorted."""
    taken: Snapshot = {}
    for (type_, version), model in sorted(schemas.registered().items()):
        entry = taken.setdefault(type_, {"versions": {}, "upcasters": []})
        entry["versions"][str(version)] = _without_words(model.model_json_schema())
    for type_, version in sorted(schemas.upcasters()):
        taken.setdefault(type_, {"versions": {}, "upcasters": []})["upcasters"].append(version)
    return taken


def breaks(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Why stored messages could not be read any more, by name; empty when all of them can."""
    return [each for type_ in before for each in _breaks_of(type_, before[type_], after.get(type_))]


def _without_words(schema: Any) -> Any:
    """A JSON schema without titles and descriptions, which break nothing."""
    if isinstance(schema, list):
        return [_without_words(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    words = {name for name in ("title", "description") if isinstance(schema.get(name), str)}
    return {name: _without_words(value) for name, value in schema.items() if name not in words}


def _breaks_of(type_: str, before: Mapping[str, Any], after: Mapping[str, Any] | None) -> Iterator[str]:
    if after is None or not after["versions"]:
        yield f"{type_}: the type has vanished"
        return
    newest = max(map(int, after["versions"]))
    stored = {int(version) for version in before["versions"]} | set(before["upcasters"])
    for version in sorted(stored | {int(version) for version in after["versions"]}):
        if version > newest:
            yield f"{type_}: version {version} has vanished, and it was newer than {newest}"
        elif missing := next((step for step in range(version, newest) if step not in after["upcasters"]), None):
            how = "has vanished" if str(version) not in after["versions"] else "is older than the newest"
            yield f"{type_}: version {version} {how}, and there is no upcaster from version {missing}"
    for version, old in before["versions"].items():
        if new := after["versions"].get(version):
            yield from (f"{type_} version {version}: {each}" for each in breaks_between(old, new))
