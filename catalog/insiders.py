"""Answers for studios when another app asks who may see what is theirs (`accounts.permissions`)."""

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q

from accounts.permissions import VIEW_INSIGHT, Subject

from .events import RELEASE
from .models import StudioMember

STUDIO = "studio:"


class StudioBackend(BaseBackend):
    """Members of a studio, in whichever role, see how far its releases came."""

    def has_perm(self, user_obj: AbstractBaseUser | AnonymousUser, perm: str, obj: Any = None) -> bool:
        """Whether `obj` is a subject of a studio of the user's. One query."""
        if perm != VIEW_INSIGHT or not isinstance(obj, Subject) or not user_obj.is_active:
            return False
        owner = _owner(obj.name)
        if owner is None:
            return False
        members = StudioMember.objects.filter(owner, user_id=user_obj.pk)
        return (members.filter(studio__slug=obj.only_studio) if obj.only_studio else members).exists()


def _owner(subject: str) -> Q | None:
    """The condition on a member's studio."""
    if subject.startswith(STUDIO):
        return Q(studio__slug=subject.removeprefix(STUDIO))
    try:
        return Q(studio__titles__releases=UUID(subject.removeprefix(RELEASE))) if subject.startswith(RELEASE) else None
    except ValueError:
        return None
