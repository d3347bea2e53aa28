"""What a role in a studio allows. Every command asks here before it decides anything."""

from enum import StrEnum

from accounts.models import User

from .errors import NotAllowed
from .models import Studio, StudioMember

Role = StudioMember.Role


class Action(StrEnum):
    """What somebody wants to do in a studio."""

    DRAFT = "draft and upload"
    PUBLISH = "publish, change what is published, or recall"
    MANAGE = "manage the team"


ALLOWED = {
    Role.EDITOR: {Action.DRAFT},
    Role.PUBLISHER: {Action.DRAFT, Action.PUBLISH},
    Role.OWNER: {Action.DRAFT, Action.PUBLISH, Action.MANAGE},
}


def role_in(*, user: User, studio: Studio) -> StudioMember.Role | None:
    """The user's role in the studio, or None."""
    role = StudioMember.objects.filter(user=user, studio=studio).values_list("role", flat=True).first()
    return Role(role) if role else None


def require(*, actor: User | None, studio: Studio, action: Action) -> None:
    """Raise `NotAllowed` unless the actor may do this in this studio; None stands for the platform itself."""
    if actor is None:
        return
    role = role_in(user=actor, studio=studio)
    if role is None:
        raise NotAllowed(f"You are not a member of {studio.name}.")
    if action not in ALLOWED[role]:
        raise NotAllowed(f"Your role in {studio.name}, {role.label.lower()}, does not allow you to {action.value}.")
