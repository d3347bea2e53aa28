"""Who may do what with which announcement."""

from django.contrib.auth.models import AnonymousUser

from accounts.models import User

from .models import Announcement


def may_publish(actor: User | AnonymousUser) -> bool:
    """Publish, withdraw, and edit the drafts of others."""
    return actor.has_perm("notifications.publish_announcement")


def may_edit(actor: User | AnonymousUser, announcement: Announcement) -> bool:
    """A draft is its author's, and of those who may publish it; what is published is nobody's to edit."""
    if announcement.state != Announcement.State.DRAFT:
        return False
    is_author = announcement.author_id == actor.pk and actor.has_perm("notifications.change_announcement")
    return is_author or may_publish(actor)
