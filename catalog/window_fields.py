"""The region windows of a release, as a form asks for them: a row of three controls for each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

MOMENT = "%Y-%m-%dT%H:%M"
EDGES = ("opens_at", "closes_at")


class MomentField(forms.DateTimeField):
    """A moment in the viewer's time zone, chosen in the browser's own picker."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT)
    input_formats = [MOMENT, "%Y-%m-%dT%H:%M:%S"]


class WindowsInput(forms.Widget):
    """Rows of region, opening and closing; the template `studio/windows.html` draws them."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, str]]:
        """The rows that are not empty, as they were typed."""
        columns = {part: data.getlist(f"{name}-{part}") for part in ("region", *EDGES)}
        longest = max(len(values) for values in columns.values())
        rows = [{part: _at(values, place) for part, values in columns.items()} for place in range(longest)]
        return [row for row in rows if any(row.values())]


class WindowsField(forms.Field):
    """In which regions a release is out, each from when until when: a list for `catalog.details`; none: everywhere."""

    widget = WindowsInput

    def to_python(self, value: Sequence[Mapping[str, str]] | None) -> list[dict[str, Any]]:
        """The rows with moments in place of texts. Raises `ValidationError` with the row's number."""
        return [_cleaned(row, number) for number, row in enumerate(value or (), start=1)]


def rows_of(bound: forms.BoundField) -> list[dict[str, str]]:
    """What the template shows: the rows that there are, in the viewer's time zone, and an empty one."""
    rows = [{part: _shown(row.get(part)) for part in ("region", *EDGES)} for row in bound.value() or ()]
    return [*rows, dict.fromkeys(("region", *EDGES), "")]


def _cleaned(row: Mapping[str, str], number: int) -> dict[str, Any]:
    if not row["region"]:
        raise ValidationError(f"Row {number}: choose the region.")
    try:
        return {"region": row["region"], **{edge: MomentField(required=False).clean(row[edge]) for edge in EDGES}}
    except ValidationError as error:
        raise ValidationError(f"Row {number}: choose a day and a time, or neither.") from error


def _shown(value: str | None) -> str:
    """A moment as its control takes it; anything else as it is."""
    try:
        moment = datetime.fromisoformat(value or "")
    except ValueError:
        return value or ""
    return value or "" if moment.tzinfo is None else timezone.localtime(moment).strftime(MOMENT)


def _at(values: Sequence[str], place: int) -> str:
    return values[place].strip() if place < len(values) else ""
