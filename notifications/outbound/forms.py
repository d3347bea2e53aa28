"""What viewers choose of channels, as browsers send it."""

from collections.abc import Mapping
from itertools import combinations, product
from typing import Any

from django import forms
from django.http import QueryDict

from accounts.forms import time_zones
from notifications.models import Kind

from .addresses import MAX_URL
from .models import Channel, Digest, cell_of
from .preferences import MOST_A_DAY, Preferences

CELLS = {cell_of(kind, channel): (kind, channel) for kind, channel in product(Kind.values, Channel.values)}
MINUTES = (5, 10, 15, 30, 60, 120)  # offered for escalation
AS_USUAL, NOWHERE = "", "none"
TOPIC = "topic."  # before a topic's name in the name of its field


class MailForm(forms.Form):
    """Mail, or none."""

    on = forms.BooleanField(required=False)


class BrowserForm(forms.Form):
    """A push subscription."""

    address = forms.CharField(max_length=MAX_URL)
    push_key = forms.CharField(max_length=120)
    push_auth = forms.CharField(max_length=60)


class WebhookForm(forms.Form):
    """A webhook's address."""

    address = forms.CharField(
        label="Address", max_length=MAX_URL, widget=forms.URLInput(attrs={"placeholder": "https://example.org/hooks"})
    )
    label = forms.CharField(label="Name", max_length=120, required=False)


def _choices_of_channels() -> list[tuple[str, str]]:
    """Every set of channels that a topic may have."""
    sets = [combination for size in (1, 2, 3) for combination in combinations(Channel, size)]
    words = [(",".join(one), " + ".join(str(channel.label) for channel in one)) for one in sets]
    return [(AS_USUAL, "As above"), *words, (NOWHERE, "On this site only")]


CHANNEL_SETS = _choices_of_channels()


class PreferencesForm(forms.Form):
    """All of the preferences; the topics' own channels are fields named `topic.` and the topic."""

    on = forms.MultipleChoiceField(choices=[(cell, cell) for cell in CELLS], required=False)
    cap_mail = forms.IntegerField(min_value=1, max_value=MOST_A_DAY, required=False)
    cap_web_push = forms.IntegerField(min_value=1, max_value=MOST_A_DAY, required=False)
    cap_webhook = forms.IntegerField(min_value=1, max_value=MOST_A_DAY, required=False)
    is_quiet = forms.BooleanField(required=False)
    quiet_from = forms.TimeField(label="From", required=False)
    quiet_until = forms.TimeField(label="Until", required=False)
    time_zone = forms.ChoiceField(label="Time zone", choices=time_zones)
    digest = forms.ChoiceField(label="Mails come", choices=Digest)
    digest_at = forms.TimeField(label="Daily mail at")

    def __init__(self, data: QueryDict | None, *, held: Preferences, time_zone: str) -> None:
        quiet = held.quiet_hours
        initial: dict[str, Any] = {
            **{f"cap_{channel}": cap for channel, cap in held.caps.items()},
            "quiet_from": f"{quiet[0]:%H:%M}" if quiet else "22:00",
            "quiet_until": f"{quiet[1]:%H:%M}" if quiet else "07:00",
            "is_quiet": quiet is not None,
            "digest": held.digest,
            "digest_at": f"{held.digest_at:%H:%M}",
            "time_zone": time_zone,
            "escalate_after": held.escalate_after or "",
        }
        super().__init__(data, initial=initial)
        minutes = sorted({*MINUTES, *([held.escalate_after] if held.escalate_after else [])})
        offered = [("", "At once, whether I am here or not"), *((str(n), f"After {n} minutes") for n in minutes)]
        self.fields["escalate_after"] = forms.TypedChoiceField(
            label="Beyond this site", choices=offered, coerce=int, empty_value=None, required=False
        )
        for name in ("quiet_from", "quiet_until", "digest_at"):
            self.fields[name].widget = forms.TimeInput(attrs={"type": "time"})

    def clean(self) -> dict[str, Any]:
        """Quiet hours have a beginning and an end."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("is_quiet") and None in {cleaned.get("quiet_from"), cleaned.get("quiet_until")}:
            self.add_error("quiet_until", "Say when quiet hours begin and end.")
        return cleaned

    def preferences(self) -> Preferences:
        """The document that was sent."""
        said = self.cleaned_data
        caps = {channel: said[f"cap_{channel}"] for channel in Channel.values if said[f"cap_{channel}"]}
        return Preferences(
            off=frozenset(cell for name, cell in CELLS.items() if name not in said["on"]),
            topics=_topics(self.data),
            quiet_hours=(said["quiet_from"], said["quiet_until"]) if said["is_quiet"] else None,
            digest=Digest(said["digest"]),
            digest_at=said["digest_at"],
            caps=caps,
            escalate_after=said["escalate_after"],
        )


def _topics(data: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    said = {name.removeprefix(TOPIC): str(data[name]) for name in data if name.startswith(TOPIC)}
    return {
        topic: () if value == NOWHERE else tuple(value.split(",")) for topic, value in said.items() if value != AS_USUAL
    }
