"""What the tests of notifications begin with: viewers, posts and the titles in an inbox."""

import itertools
from datetime import UTC, datetime
from typing import Any

from accounts.commands import create_viewer
from accounts.models import Membership, User
from notifications.commands import post_notification
from notifications.given_topics import own_topic
from notifications.models import Notification
from notifications.queries import inbox

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
MOVIES = "category:movies"
_numbers = itertools.count(1)


def a_viewer(*, member: bool = True, is_kids: bool = False) -> User:
    """A viewer with an open-ended membership that began long ago."""
    user = create_viewer(email=f"viewer{next(_numbers)}@example.org", password="a-long-password")
    Membership.objects.filter(user=user).delete()
    if member:
        Membership.objects.create(user=user, starts_at=LONG_AGO)
    user.profile.is_kids = is_kids
    user.profile.save(update_fields=["is_kids"])
    return user


def post(title: str, *topics: str, subject: str = "", version: int = 1, **changes: Any) -> Notification:
    """Post `title` to `topics` (Movies by default) as the first notification of a new subject."""
    card: dict[str, Any] = {
        "kind": "premiere",
        "body": "",
        "url": "/titles/x/",
        "published_at": datetime.now(UTC),
        "topics": {name: name.partition(":")[2].title() for name in topics or (MOVIES,)},
    }
    subject = subject or f"release:{next(_numbers)}"
    posted = post_notification(subject=subject, subject_version=version, title=title, **card | changes)
    assert posted is not None
    return posted


def given(user: User, *, own: int = 0, platform: int = 0) -> dict[str, int]:
    """The positions in the topics that a viewer is given."""
    return {"platform:all": platform, own_topic(user.pk): own}


def titles(user: User, **paging: Any) -> list[str]:
    """The titles in the viewer's inbox, newest first."""
    return [entry.title for entry in inbox(viewer_id=user.pk, **paging).entries]
