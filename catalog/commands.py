"""Everything that changes releases. Each command is one transaction: check who asks, decide, store, publish."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.core.files.base import File
from django.db import transaction
from django.db.models import Q

from accounts.clock import database_now
from accounts.models import User
from accounts.problems import Problem

from . import release as domain
from .details import check_span, clean_details, clean_text, default_headline
from .editing import Editing, as_metadata, known_edits, settle
from .errors import InvalidRelease
from .models import Asset, Release, ReleaseKind, Studio, Title
from .permissions import Action, require
from .release import ReleaseState, Stage
from .store import decide_and_store, history_of, locked_release
from .studio_commands import add_studio_member, create_studio, create_title, edit_title, find_or_create_title
from .uploads import check_size, store_source

__all__ = [
    "add_studio_member",
    "attach_asset",
    "create_studio",
    "create_title",
    "draft_release",
    "edit_release",
    "edit_title",
    "publish_due",
    "publish_release",
    "recall_release",
    "schedule_release",
]

logger = logging.getLogger(__name__)
DUE_AT_ONCE = 100


@transaction.atomic
def draft_release(
    *,
    actor: User | None,
    studio: Studio,
    title: Title | str,
    kind: str,
    category: str = "",
    title_type: str = "",
    headline: str = "",
    synopsis: str = "",
    season: int | None = None,
    episode: int | None = None,
    starts_at: datetime | None = None,
    expires_at: datetime | None = None,
    languages: Sequence[str] | None = None,
    windows: Sequence[Mapping[str, Any]] | None = None,
) -> Release:
    """Begin a release of `title`: one of the studio's, its slug, or a name, which makes one in `category`.

    Raises `NotAllowed` and `InvalidRelease`.
    """
    require(actor=actor, studio=studio, action=Action.DRAFT)
    if kind not in ReleaseKind.values:
        raise InvalidRelease(f"A release is one of {', '.join(ReleaseKind.values)}.", field="kind")
    if isinstance(title, str):
        title = find_or_create_title(studio=studio, named=title, category=category, type_=title_type)
    elif title.studio_id != studio.pk:
        raise InvalidRelease("The title belongs to another studio.", field="title")
    details = clean_details(
        {
            "headline": headline or default_headline(title, kind=kind, season=season, episode=episode),
            "synopsis": synopsis,
            "season": season,
            "episode": episode,
            "starts_at": starts_at,
            "expires_at": expires_at,
            "languages": languages,
            "windows": windows,
        }
    )
    release = Release(pk=uuid4(), title=title)
    check_span(starts_at=starts_at, expires_at=expires_at)
    decide_and_store(release, partial(domain.draft, title=title.pk, kind=kind, details=details), actor=actor)
    return release


@transaction.atomic
def edit_release(
    *, actor: User | None, release_id: UUID, changes: Mapping[str, Any], editing: Editing | None = None
) -> Release:
    """Change some of the details, by the names that `draft_release` has for them; what is not given stays.

    With `editing`, `changes` are all that a page shows, and what others changed since it was rendered is kept;
    without, they are meant as they are given. After publication this needs the role that publishes, and subscribers'
    cards change. Raises `NotFound`, `NotAllowed`, `InvalidRelease`, `IllegalTransition` and `ConcurrentEdit`.
    """
    release = locked_release(release_id)
    _require_for_change(actor, release)
    history = history_of(release.pk)
    editing = editing or Editing(editor=f"user:{actor.pk}" if actor else "system", seen=known_edits(history))
    cleaned, clock = settle(history, clean_details(changes), editing)
    metadata = as_metadata(editing, clock)
    decide_and_store(release, partial(domain.edit, changes=cleaned), actor=actor, metadata=metadata)
    check_span(starts_at=release.starts_at, expires_at=release.expires_at)
    return release


def attach_asset(*, actor: User | None, release_id: UUID, upload: "File[Any]") -> Asset:
    """Store an uploaded video and have it encoded; it takes the place of an earlier one.

    Only its size is checked here: what it really is, the encoder finds out. Raises `NotFound`, `NotAllowed`,
    `IllegalTransition`, `InvalidUpload` and `UploadTooLarge`.
    """
    check_size(upload.size)
    with transaction.atomic():
        release = locked_release(release_id)
        _require_for_change(actor, release)
        asset = Asset(source_name=clean_text("file name", (upload.name or "")[-255:], limit=255))
        with store_source(asset, upload):
            asset.save(force_insert=True)
            release.asset = asset
            decide_and_store(release, partial(domain.attach, asset=str(asset.pk)), actor=actor)
    return asset


@transaction.atomic
def publish_release(*, release_id: UUID, actor: User | None) -> Release:
    """Publish now. Raises `NotFound`, `NotAllowed`, `AlreadyPublished`, `StillEncoding` and `IllegalTransition`."""
    release = locked_release(release_id)
    require(actor=actor, studio=release.title.studio, action=Action.PUBLISH)
    decide_and_store(release, partial(domain.publish, at=database_now().isoformat()), actor=actor)
    return release


@transaction.atomic
def schedule_release(*, actor: User | None, release_id: UUID, at: datetime | None) -> Release:
    """Publish at `at`, or with None make it a draft again. A video that is not ready by then delays it.

    Raises `NotFound`, `NotAllowed`, `InvalidRelease` for a moment that has passed, and `IllegalTransition`.
    """
    release = locked_release(release_id)
    require(actor=actor, studio=release.title.studio, action=Action.PUBLISH)
    if at is None:
        decide_and_store(release, domain.unschedule, actor=actor)
        return release
    if at.utcoffset() is None or at <= database_now():
        raise InvalidRelease("Choose a moment in the future, with a time zone.", field="at")
    decide_and_store(release, partial(domain.schedule, at=at.isoformat()), actor=actor)
    return release


@transaction.atomic
def recall_release(*, actor: User | None, release_id: UUID, reason: str = "") -> Release:
    """Take a published release back, for good. Raises `NotFound`, `NotAllowed` and `IllegalTransition`."""
    release = locked_release(release_id)
    require(actor=actor, studio=release.title.studio, action=Action.PUBLISH)
    reason = clean_text("reason", reason, limit=500)
    decide_and_store(release, partial(domain.recall, reason=reason), actor=actor)
    return release


def publish_due() -> int:
    """Publish what is scheduled for now or earlier and ready; return how many. Safe to run twice at once."""
    ready = Q(asset__isnull=True) | Q(asset__state=Asset.State.READY)
    due = Release.objects.filter(ready, state=Release.State.SCHEDULED, scheduled_at__lte=database_now())
    ids = list(due.order_by("scheduled_at").values_list("pk", flat=True)[:DUE_AT_ONCE])
    return sum(_publish_if_due(release_id) for release_id in ids)


@transaction.atomic
def _publish_if_due(release_id: UUID) -> bool:
    """False when another process has it, or it was changed meanwhile."""
    free = Release.objects.select_for_update(skip_locked=True).filter(pk=release_id)
    if not free.exists():
        return False
    release, now = locked_release(release_id), database_now()
    try:
        return bool(decide_and_store(release, partial(_publish_when_due, now=now), actor=None))
    except Problem:
        logger.exception("The scheduled release %s cannot be published", release_id)
        return False


def _publish_when_due(state: ReleaseState, *, now: datetime) -> list[domain.Event]:
    is_due = state.stage is Stage.SCHEDULED and datetime.fromisoformat(state.scheduled_at or "") <= now
    return domain.publish(state, at=now.isoformat()) if is_due else []


def _require_for_change(actor: User | None, release: Release) -> None:
    is_public = release.state == Release.State.PUBLISHED
    require(actor=actor, studio=release.title.studio, action=Action.PUBLISH if is_public else Action.DRAFT)
