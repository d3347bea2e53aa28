"""What members see of their studios. Every function needs a fixed, small number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet

from accounts.models import User
from broker.event_store import RecordedEvent, load

from .errors import NotAllowed, NotFound
from .events import release_key
from .models import Release, Studio, StudioMember, Title
from .permissions import ALLOWED, Action, Role, role_in


@dataclass(frozen=True, kw_only=True)
class StudioOverview:
    """A studio in numbers, with what happened last."""

    studio: Studio
    role: StudioMember.Role
    titles: int
    drafts: int
    scheduled: int
    published: int
    recalled: int
    latest: Sequence[Release]


@dataclass(frozen=True, kw_only=True)
class ReleaseDetail:
    """A release with its history, and what the user may do with it."""

    release: Release
    history: Sequence[RecordedEvent]
    role: StudioMember.Role
    may_edit: bool
    may_publish: bool


def studios_of(*, user: User) -> list[StudioMember]:
    """The user's studios, each with the role, in the order of their names."""
    return list(StudioMember.objects.select_related("studio").filter(user=user).order_by("studio__name"))


def studio_of(*, user: User, slug: str) -> tuple[Studio, StudioMember.Role]:
    """A studio and the user's role in it. Raises `NotFound` and `NotAllowed`."""
    studio = Studio.objects.filter(slug=slug).first()
    if studio is None:
        raise NotFound("There is no such studio.")
    role = role_in(user=user, studio=studio)
    if role is None:
        raise NotAllowed(f"You are not a member of {studio.name}.")
    return studio, role


def studio_overview(*, user: User, slug: str) -> StudioOverview:
    """The studio's numbers. Raises `NotFound` and `NotAllowed`."""
    studio, role = studio_of(user=user, slug=slug)
    states = Release.State
    counts = Release.objects.filter(title__studio=studio).aggregate(
        drafts=Count("pk", filter=Q(state=states.DRAFT)),
        scheduled=Count("pk", filter=Q(state=states.SCHEDULED)),
        published=Count("pk", filter=Q(state=states.PUBLISHED)),
        recalled=Count("pk", filter=Q(state=states.RECALLED)),
    )
    return StudioOverview(
        studio=studio, role=role, titles=studio.titles.count(), latest=list(_releases(studio)[:8]), **counts
    )


def studio_releases(*, user: User, slug: str, state: str = "", limit: int = 200) -> list[Release]:
    """The studio's releases, the last changed first; of one state, if given. Raises `NotFound` and `NotAllowed`."""
    studio, _ = studio_of(user=user, slug=slug)
    releases = _releases(studio)
    return list((releases.filter(state=state) if state else releases)[:limit])


def studio_titles(*, user: User, slug: str) -> QuerySet[Title]:
    """The studio's titles, annotated with `release_count` and `last_published`. Raises as `studio_of`."""
    studio, _ = studio_of(user=user, slug=slug)
    return studio.titles.annotate(
        release_count=Count("releases"), last_published=Max("releases__published_at")
    ).order_by("name")


def studio_team(*, user: User, slug: str) -> list[StudioMember]:
    """The studio's members. Raises as `studio_of`."""
    studio, _ = studio_of(user=user, slug=slug)
    return list(studio.members.select_related("user").order_by("role", "user__email"))


def release_for(*, user: User, release_id: UUID) -> Release:
    """A release of a studio that the user is a member of. Raises `NotFound` and `NotAllowed`."""
    release = Release.objects.select_related("title__studio", "asset", "playable").filter(pk=release_id).first()
    if release is None:
        raise NotFound("There is no such release.")
    studio_of(user=user, slug=release.title.studio.slug)
    return release


def release_detail(*, user: User, release_id: UUID) -> ReleaseDetail:
    """A release for its editor's page. Raises `NotFound` and `NotAllowed`."""
    release = release_for(user=user, release_id=release_id)
    _, role = studio_of(user=user, slug=release.title.studio.slug)
    may = ALLOWED[Role(role)]
    is_public = release.state == Release.State.PUBLISHED
    is_over = release.state == Release.State.RECALLED
    return ReleaseDetail(
        release=release,
        history=load(release_key(release.pk)),
        role=role,
        may_edit=not is_over and (Action.PUBLISH if is_public else Action.DRAFT) in may,
        may_publish=not is_over and Action.PUBLISH in may,
    )


def _releases(studio: Studio) -> QuerySet[Release]:
    releases = Release.objects.filter(title__studio=studio).select_related("title__studio", "asset", "playable")
    return releases.order_by("-updated_at")
