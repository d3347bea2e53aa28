"""What people say about themselves."""

import zoneinfo
from functools import cache

from django import forms

LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español"), ("fr", "Français"), ("hi", "हिन्दी")]


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
    language = forms.ChoiceField(label="Language", choices=LANGUAGES)
    is_kids = forms.BooleanField(required=False)
