"""How django-allauth signs people up here."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest

from .commands import start_trial
from .models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is not annotated
    """A new viewer is a user, a profile and a trial membership: all of them or none."""

    @transaction.atomic
    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> Any:
        saved = super().save_user(request, user, form, commit)
        if commit:
            start_trial(user=saved)
        return saved
