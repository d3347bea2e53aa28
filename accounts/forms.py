"""What people say about themselves."""

import zoneinfo
from functools import cache

from django import forms

from .places import LANGUAGES, REGION_CHOICES


@cache
def time_zones() -> list[tuple[str, str]]:
    """Every place of the time zone database that is a city, and UTC."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


class ProfileForm(forms.Form):
    """How a viewer likes to be served."""

    name = forms.CharField(label="Name", max_length=120, required=False)
    time_zone = forms.ChoiceField(
        label="Time zone", choices=time_zones, help_text="Times of releases and events are shown in it."
    )
    region = forms.ChoiceField(
        label="Region",
        choices=[("", "Not said"), *REGION_CHOICES],
        required=False,
        help_text="Some releases are out in some regions alone; without a region you hear of none of those.",
    )
    languages = forms.MultipleChoiceField(
        label="Languages",
        choices=list(LANGUAGES.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="You hear of releases in any of these, and of those that do not say. None chosen: of all.",
    )
    is_kids = forms.BooleanField(required=False)
