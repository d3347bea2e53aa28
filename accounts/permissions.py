"""Permissions about things of other apps, by name: who shows something asks, and who owns it answers.

The one who owns it does so in an authentication backend (`AUTHENTICATION_BACKENDS`), which is Django's place for
permissions on objects; so the two need not know each other.
"""

from dataclasses import dataclass
from typing import Any, cast

from django.contrib.auth import get_backends
from django.http import HttpRequest

from .models import ApiToken, User

VIEW_INSIGHT = "notifications.view_reach"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: `release:<uuid>`, `studio:<slug>`. With `only_studio`, on behalf of that studio alone."""

    name: str
    only_studio: str = ""


def may(*, user: User, permission: str, subject: Subject) -> bool:
    """Whether the owner of the subject says so, or the user has the permission for everything, as operators have.

    A token that is for one studio never speaks for the operator who made it.
    """
    about = cast("Any", subject)  # Django takes any object; its type stubs, models alone
    owners_say = any(backend.has_perm(user, permission, about) for backend in get_backends())
    return owners_say or (not subject.only_studio and user.has_perm(permission))


def studio_of_token(request: HttpRequest) -> str:
    """The slug of the one studio that the request's token is for, or nothing."""
    caller = getattr(request, "auth", None)
    return caller.studio_slug if isinstance(caller, ApiToken) else ""
