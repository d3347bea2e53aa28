"""Fills an empty platform, through the same commands that everybody uses.

Every step first looks whether it was done, so a run that was killed is finished by the next one. The operator is made
last and says that all is there: later runs change nothing, whatever people did to the demo since.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.core.files.base import ContentFile
from django.db import transaction

from accounts.clock import database_now
from accounts.models import User
from catalog import release as domain
from catalog.commands import add_studio_member, create_studio, create_title, draft_release, schedule_release
from catalog.models import Asset, Category, Release, Studio, StudioMember, Title
from catalog.store import decide_and_store, locked_release

from . import art, people
from .catalogue import STUDIOS, TITLES, DemoStudio, DemoTitle
from .releases import DemoRelease, plan
from .trailers import Trailers

Say = Callable[[str], None]


def seed(*, say: Say = print) -> bool:
    """Make the demo's studios, titles, releases and people. False when they are there already."""
    if User.objects.filter(email=people.OPERATOR, is_superuser=True).exists():
        return False
    say("Inviting studios and viewers")
    owners = {studio.slug: _studio(studio) for studio in STUDIOS}
    people.ensure_audience()
    people.subscribe_viewer(people.ensure_account(email=people.VIEWER, name="Vera Viewer"))
    shown = {title.category for title in TITLES}
    with Trailers([category for category in Category if category in shown], say) as trailers:
        for number, title in enumerate(TITLES, start=1):
            _title(title, owners[title.studio])
            if number % 10 == 0:
                say(f"Drew posters and backdrops: {number} of {len(TITLES)}")
        _releases(owners, trailers, say)
    people.ensure_operator()
    return True


def _studio(wanted: DemoStudio) -> User:
    """The studio with its owner, and the demo's studio account as another owner of the first one."""
    owner = people.ensure_owner(slug=wanted.slug, name=f"{wanted.name}, front desk")
    studio = Studio.objects.filter(slug=wanted.slug).first()
    if studio is None:
        studio = create_studio(actor=owner, name=wanted.name, slug=wanted.slug, tagline=wanted.tagline)
    role = {STUDIOS[0].slug: StudioMember.Role.OWNER, STUDIOS[1].slug: StudioMember.Role.EDITOR}.get(wanted.slug)
    if role:
        user = people.ensure_account(email=people.STUDIO, name="Stella Studio")
        add_studio_member(actor=owner, studio=studio, user=user, role=role)
    return owner


def _title(wanted: DemoTitle, owner: User) -> None:
    if Title.objects.filter(studio__slug=wanted.studio, name=wanted.name).exists():
        return
    studio = Studio.objects.get(slug=wanted.studio)
    poster = art.poster(name=wanted.name, studio=studio.name, scene=wanted.scene, palette=wanted.palette)
    backdrop = art.backdrop(name=wanted.name, scene=wanted.scene, palette=wanted.palette)
    create_title(
        actor=owner,
        studio=studio,
        name=wanted.name,
        category=wanted.category,
        synopsis=wanted.synopsis,
        maturity=wanted.maturity,
        year=wanted.year,
        poster=ContentFile(poster, name="poster.jpg"),
        backdrop=ContentFile(backdrop, name="backdrop.jpg"),
    )


def _releases(owners: dict[str, User], trailers: Trailers, say: Say) -> None:
    wanted = plan(database_now())
    for number, release in enumerate(wanted, start=1):
        _release(release, owners[release.title.studio], trailers)
        if number % 25 == 0:
            say(f"Published releases: {number} of {len(wanted)}")


def _release(wanted: DemoRelease, owner: User, trailers: Trailers) -> None:
    release = _draft(wanted, owner)
    if release.state != Release.State.DRAFT:
        return
    if wanted.has_video and (release.asset is None or release.asset.state != Asset.State.READY):
        trailers.attach(release, owner, wanted.title.category)
    if wanted.published_at:
        _publish(release, owner, wanted.published_at)
    elif wanted.scheduled_at:
        schedule_release(actor=owner, release_id=release.pk, at=wanted.scheduled_at)


def _draft(wanted: DemoRelease, owner: User) -> Release:
    known = Release.objects.filter(title__name=wanted.title.name, headline=wanted.headline).select_related("asset")
    return known.first() or draft_release(
        actor=owner,
        studio=Studio.objects.get(slug=wanted.title.studio),
        title=wanted.title.name,
        kind=wanted.kind,
        headline=wanted.headline,
        synopsis=wanted.synopsis,
        season=wanted.season,
        episode=wanted.episode,
        starts_at=wanted.starts_at,
        expires_at=wanted.expires_at,
    )


@transaction.atomic
def _publish(release: Release, owner: User, at: datetime) -> None:
    """Publish as of a moment in the past: the one thing that no command offers, and only a demo needs."""
    decide_and_store(locked_release(release.pk), partial(domain.publish, at=at.isoformat()), actor=owner)
