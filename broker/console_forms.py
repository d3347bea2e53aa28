"""What operators fill in on the console's pages."""

import json
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from .current import current_topology, stream_named
from .errors import InvalidTarget
from .offsets import Target, parse_target
from .topology import Group

_CODE = "font-family: ui-monospace, monospace; font-size: 12px; max-width: none"


class ResetForm(forms.Form):
    """Where a group is to go on, and in which partition."""

    target = forms.CharField(
        label="Go on from",
        help_text="earliest, latest, an offset, or a time with its zone such as 2026-01-31T20:00Z",
        widget=UnfoldAdminTextInputWidget(),
    )

    def __init__(self, group: Group, data: Any = None) -> None:
        super().__init__(data, prefix=group.name)
        numbers = range(stream_named(group.stream).partitions)
        self.fields["partition"] = forms.TypedChoiceField(
            label="In",
            choices=[("", "all partitions"), *((number, f"partition {number}") for number in numbers)],
            coerce=int,
            empty_value=None,
            required=False,
            widget=UnfoldAdminSelectWidget(),
        )

    def clean_target(self) -> Target:
        """The place that the text means."""
        try:
            return parse_target(self.cleaned_data["target"].strip())
        except InvalidTarget as error:
            raise forms.ValidationError(str(error)) from error


class ReplayForm(forms.Form):
    """Where a dead letter is to go."""

    force = forms.BooleanField(label="Also when it is parked", required=False, widget=UnfoldBooleanWidget())

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        groups = [(group.name, f"group {group.name}") for group in current_topology().groups]
        self.fields["to_group"] = forms.ChoiceField(
            label="To", choices=[("", "where it failed"), *groups], required=False, widget=UnfoldAdminSelectWidget()
        )
        self.order_fields(["to_group", "force"])


class _ReadableJSON(forms.JSONField):
    """JSON, a line an attribute."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


class EditForm(forms.Form):
    """Another message in a dead letter's place."""

    body = _ReadableJSON(
        label="Message", widget=UnfoldAdminTextareaWidget(attrs={"rows": 28, "spellcheck": "false", "style": _CODE})
    )
