"""What viewers choose of channels, as browsers send it."""

from django import forms

from .addresses import MAX_URL


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
