"""What studios say of titles, releases and their teams. What is possible is decided by the commands."""

from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import QuerySet

from accounts.places import LANGUAGES
from accounts.problems import Problem

from .errors import ConcurrentEdit
from .models import Category, Maturity, ReleaseKind, StudioMember, Title, TitleType
from .window_fields import MomentField, WindowsField


class ReleaseForm(forms.Form):
    """What viewers read of a release, and when it holds."""

    headline = forms.CharField(max_length=160, required=False, help_text="What the notification says first.")
    synopsis = forms.CharField(max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 4}))
    season = forms.IntegerField(min_value=1, max_value=999, required=False)
    episode = forms.IntegerField(min_value=1, max_value=9999, required=False)
    starts_at = MomentField(label="Starts at", required=False, help_text="Viewers see a countdown until then.")
    expires_at = MomentField(label="Available until", required=False)
    languages = forms.MultipleChoiceField(
        choices=list(LANGUAGES.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Spoken or subtitled. Viewers who chose none of these are not told; none chosen: everybody is.",
    )
    windows = WindowsField(
        required=False, help_text="Out in these regions alone, from and until then. None: everywhere, at once."
    )


class NewReleaseForm(ReleaseForm):
    """A release to be drafted, of a title of the studio or a new one."""

    title = forms.ModelChoiceField(
        Title.objects.none(), to_field_name="slug", required=False, empty_label="A new title…"
    )
    new_title = forms.CharField(label="Name of the new title", max_length=160, required=False)
    category = forms.ChoiceField(choices=[("", "Choose…"), *Category.choices], required=False)
    kind = forms.ChoiceField(choices=ReleaseKind.choices)

    def __init__(self, *args: Any, titles: QuerySet[Title], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["title"].queryset = titles  # type: ignore[attr-defined]  # a ModelChoiceField's
        self.fields["headline"].help_text = "What the notification says first. Left empty, it is made from the title."

    def details(self) -> dict[str, Any]:
        """The arguments of `draft_release`."""
        values = dict(self.cleaned_data)
        new_title = values.pop("new_title")
        values["title"] = values["title"] or new_title
        return values

    def clean(self) -> dict[str, Any]:
        """A release needs a title: one there is, or a name for a new one."""
        if not self.cleaned_data.get("title") and not self.cleaned_data.get("new_title"):
            self.add_error("title", "Choose a title, or name a new one.")
        return self.cleaned_data


class TitleForm(forms.Form):
    """A title's name, age, story and art."""

    name = forms.CharField(max_length=160)
    maturity = forms.TypedChoiceField(label="Suitable for", choices=Maturity.choices, coerce=int, initial=0)
    year = forms.IntegerField(required=False, min_value=1888, max_value=2100)
    synopsis = forms.CharField(max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 5}))
    poster = forms.FileField(required=False, help_text="Upright, 2:3. JPEG, PNG or WebP.")
    backdrop = forms.FileField(required=False, help_text="Wide, 16:9. JPEG, PNG or WebP.")

    def details(self) -> dict[str, Any]:
        """What the commands take: a picture that was not chosen stays as it is."""
        return {name: value for name, value in self.cleaned_data.items() if value is not None or name == "year"}


class NewTitleForm(TitleForm):
    """A title to be made: its category and type are for good."""

    category = forms.ChoiceField(choices=Category.choices)
    type = forms.ChoiceField(choices=TitleType.choices)


class TeamForm(forms.Form):
    """A role for somebody with an account."""

    email = forms.EmailField(label="E-mail address", help_text="They need an account here first.")
    role = forms.ChoiceField(choices=StudioMember.Role.choices, initial=StudioMember.Role.EDITOR)


class TokenForm(forms.Form):
    """A new API token."""

    name = forms.CharField(max_length=80, help_text="What uses it, so that you know it again.")


class ScheduleForm(forms.Form):
    """When to publish."""

    at = MomentField(label="Publish at")


class RecallForm(forms.Form):
    """Why a release is taken back."""

    reason = forms.CharField(max_length=500, required=False, help_text="Viewers read it on the card that they have.")


def add_problem(form: forms.Form, problem: Problem) -> None:
    """Show a command's refusal at the field that it names, or above the form."""
    named = problem.extras.get("field")
    form.add_error(named if named in form.fields else None, ValidationError(problem.detail, code=problem.slug))


def is_disputed(form: forms.Form) -> bool:
    """Whether somebody else changed the same field meanwhile, and the author has to choose."""
    return form.has_error(NON_FIELD_ERRORS, code=ConcurrentEdit.slug)
