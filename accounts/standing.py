"""What open connections of a user have to hear of at once: told on the bus, after the commit."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models.signals import post_delete, post_save
from django.utils import timezone

from broker.bus import bus

from .models import User

_OF_NO_CONCERN = frozenset({"last_login"})


@dataclass(frozen=True, slots=True)
class StandingChanged:
    """What this user may see has changed, or whether a connection of theirs is still signed in."""

    user_id: int


def tell_of_change(user_id: int) -> None:
    """Let whoever holds connections of the user look again."""
    bus.publish_on_commit(StandingChanged(user_id))


def watch() -> None:
    """Tell of what Django does by itself: ended sessions, new passwords, users who are switched off."""
    post_delete.connect(_session_ended, sender=Session)
    post_save.connect(_user_saved, sender=User)


def _session_ended(*, instance: Session, **_details: Any) -> None:
    user_id = instance.get_decoded().get(SESSION_KEY)
    if user_id is not None and instance.expire_date > timezone.now():  # expired ones are cleared by the thousand
        tell_of_change(int(user_id))


def _user_saved(*, instance: User, created: bool, update_fields: frozenset[str] | None, **_details: Any) -> None:
    if not created and update_fields != _OF_NO_CONCERN:
        tell_of_change(instance.pk)
