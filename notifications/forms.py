"""What viewers choose and mark, as browsers send it."""

from typing import Any

from django import forms

from .models import Kind
from .queries import MAX_ID

MUTES = [(1, "1 hour"), (8, "8 hours"), (24, "1 day"), (168, "1 week")]  # for how many hours a topic can be muted


class FollowForm(forms.Form):
    """Follow a topic for some kinds, or no longer."""

    topic = forms.CharField(max_length=160)
    following = forms.BooleanField(required=False)
    kinds = forms.MultipleChoiceField(choices=Kind.choices, required=False)


class MuteForm(forms.Form):
    """Mute a topic for some hours, or no longer."""

    topic = forms.CharField(max_length=160)
    hours = forms.TypedChoiceField(choices=[(0, "Unmute"), *MUTES], coerce=int)


def is_id(text: str) -> bool:
    """Whether it is a whole number that the database can hold."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID)) and int(text) <= MAX_ID


class IdsField(forms.Field):
    """Whole numbers, any number of them."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> list[int]:
        """Raises `ValidationError` for anything else."""
        if not all(is_id(str(one)) for one in value or ()):
            raise forms.ValidationError("Ids are whole numbers.")
        return [int(one) for one in value or ()]


class IdsForm(forms.Form):
    """Single notifications."""

    ids = IdsField()


class ReadForm(forms.Form):
    """What has been read: single notifications, and topics up to a position."""

    ids = IdsField(required=False)
    positions = forms.JSONField(required=False)

    def clean_positions(self) -> dict[str, Any]:
        """Positions are an object; what it holds is checked by the command."""
        positions = self.cleaned_data["positions"] or {}
        if not isinstance(positions, dict):
            raise forms.ValidationError("Positions are a JSON object.")
        return positions
