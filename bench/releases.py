"""Releases that wait to be published, and who may publish them."""

from uuid import UUID, uuid4

from accounts.commands import create_viewer
from accounts.models import User
from catalog.commands import draft_release
from catalog.models import Category
from catalog.studio_commands import create_studio


def make_creator() -> User:
    """Somebody who may have studios."""
    return create_viewer(email=f"studio-{uuid4().hex[:8]}@bench.example", password=uuid4().hex)


def drafts(*, creator: User, count: int, category: Category = Category.MOVIES) -> list[UUID]:
    """`count` premieres of one title of a new studio."""
    studio = create_studio(actor=creator, name=f"Bench {uuid4().hex[:8]}")
    return [
        draft_release(
            actor=creator,
            studio=studio,
            title=studio.name,
            category=category,
            kind="premiere",
            headline=f"Premiere {number}",
        ).pk
        for number in range(count)
    ]
