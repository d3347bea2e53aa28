"""The console's page that says why a viewer got a notification, or why not."""

from typing import Any

from django import forms
from django.views.generic import TemplateView
from unfold.views import UnfoldModelAdminViewMixin
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.models import User

from .explanations import explain, find_notification, find_viewer
from .models import Notification


class WhyForm(forms.Form):
    """Whose, and which."""

    viewer = forms.EmailField(label="Viewer's e-mail", max_length=254, widget=UnfoldAdminTextInputWidget())
    notification = forms.CharField(
        label="Notification",
        max_length=200,
        help_text="Its id, what it tells of such as release:…, or a part of its title: the newest is taken",
        widget=UnfoldAdminTextInputWidget(),
    )

    def clean_viewer(self) -> User:
        """The viewer."""
        found = find_viewer(email=self.cleaned_data["viewer"])
        if found is None:
            raise forms.ValidationError("Nobody has this address.")
        return found

    def clean_notification(self) -> Notification:
        """The notification."""
        found = find_notification(text=self.cleaned_data["notification"])
        if found is None:
            raise forms.ValidationError("There is no such notification.")
        return found


class WhyPage(UnfoldModelAdminViewMixin, TemplateView):  # type: ignore[misc]  # unfold is not annotated
    """Looks only: a GET with both fields is answered."""

    title = "Why did this viewer (not) get this?"
    template_name = "notifications/console_why.html"
    permission_required = ("notifications.explain_notification",)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = WhyForm(self.request.GET or None)
        explanation = explain(**form.cleaned_data) if form.is_valid() else None
        context: dict[str, Any] = super().get_context_data(form=form, explanation=explanation, **kwargs)
        return context
