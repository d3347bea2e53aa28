"""What the consumer group `planning` does with events of studios' own systems: drafts, schedules, recalls.

What the platform refuses is no failure of the handler: it is written down with its reason, for the studio to read.
"""

from collections.abc import Callable
from uuid import UUID

import structlog
from django.db import transaction

from accounts.models import User
from accounts.problems import Problem
from broker.messages import Message

from .commands import draft_release, edit_release, recall_release, schedule_release
from .errors import InvalidRelease, NotAllowed, NotFound
from .events import ReleasePlannedData, ReleaseScheduledData, ReleaseWithdrawnData
from .models import ReceivedEvent, Release, ReleaseReference, Studio
from .release import DETAILS

logger = structlog.get_logger(__name__)
Act = Callable[[Message, Studio, User], UUID]


def on_release_planned(message: Message) -> None:
    """Draft the release, or change what was drafted under this reference."""
    _act(message, _plan)


def on_release_scheduled(message: Message) -> None:
    """Schedule the release, or take the schedule back."""
    _act(message, _schedule)


def on_release_withdrawn(message: Message) -> None:
    """Recall the release."""
    _act(message, _withdraw)


def _act(message: Message, act: Act) -> None:
    received = ReceivedEvent.objects.filter(pk=message.id)
    try:
        with transaction.atomic():
            release_id = act(message, *_who(message))
    except Problem as problem:
        logger.info("studio_event_refused", type=message.type, problem=problem.slug, detail=problem.detail)
        received.update(state=ReceivedEvent.State.REFUSED, problem=problem.as_document())
    else:
        received.update(state=ReceivedEvent.State.DONE, release_id=release_id, problem=None)


def _who(message: Message) -> tuple[Studio, User]:
    """For which studio, and as whom. Raises `NotAllowed` when either is gone; the commands ask for the rights anew."""
    studio = Studio.objects.filter(slug=message.headers["studio"]).first()
    actor = User.objects.filter(pk=message.headers["actor"], is_active=True).first()
    if studio is None or actor is None:
        raise NotAllowed("The studio, or the user whose token sent this, is no longer there.")
    return studio, actor


def _plan(message: Message, studio: Studio, actor: User) -> UUID:
    data = ReleasePlannedData.model_validate(message.data)
    details = {name: value for name, value in data.model_dump(exclude_unset=True).items() if name in DETAILS}
    known = ReleaseReference.objects.filter(studio=studio, reference=data.reference).first()
    if known is not None:
        _check_unchanged(known.release_id, data)
        return edit_release(actor=actor, release_id=known.release_id, changes=details).pk
    given = {name: value for name, value in details.items() if value is not None}
    category = data.category.value if data.category else ""
    release = draft_release(
        actor=actor, studio=studio, title=data.title, kind=data.kind.value, category=category, **given
    )
    ReleaseReference.objects.create(studio=studio, reference=data.reference, release_id=release.pk)
    return release.pk


def _check_unchanged(release_id: UUID, data: ReleasePlannedData) -> None:
    release = Release.objects.select_related("title").get(pk=release_id)
    if data.kind != release.kind:
        raise InvalidRelease(f"The release is of the kind {release.kind}, for good.", field="kind")
    if data.title.strip().lower() not in (release.title.slug, release.title.name.lower()):
        raise InvalidRelease(f"The release is of the title {release.title.slug!r}, for good.", field="title")


def _schedule(message: Message, studio: Studio, actor: User) -> UUID:
    data = ReleaseScheduledData.model_validate(message.data)
    return schedule_release(actor=actor, release_id=_release_id(studio, data.reference), at=data.at).pk


def _withdraw(message: Message, studio: Studio, actor: User) -> UUID:
    data = ReleaseWithdrawnData.model_validate(message.data)
    return recall_release(actor=actor, release_id=_release_id(studio, data.reference), reason=data.reason).pk


def _release_id(studio: Studio, reference: str) -> UUID:
    known = ReleaseReference.objects.filter(studio=studio, reference=reference).first()
    if known is None:
        raise NotFound(f"No release was planned under the reference {reference!r}.")
    return known.release_id
