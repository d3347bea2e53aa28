"""The API of preferences: what is told on which channel, and when."""

from datetime import time
from itertools import product
from typing import Annotated, cast

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from accounts.api import NOT_YOURS, ProblemDetail, idempotent
from accounts.auth import personal_auth
from accounts.commands import update_profile
from accounts.models import User, ViewerProfile
from notifications.models import Kind

from .models import Channel, Digest
from .preferences import MOST_A_DAY, MOST_MINUTES, Preferences, preferences_of, save_preferences

router = Router(tags=["Preferences"], auth=personal_auth)
REFUSALS = {**NOT_YOURS, 422: ProblemDetail}
Cap = Annotated[int, Field(ge=1, le=MOST_A_DAY)]


class QuietHours(Schema):
    """Local times. From an evening until a morning is fine; the two must differ."""

    start: time
    end: time


class PreferencesDocument(Schema):
    """What you want of the channels. What is left out of a `PUT` is as it is for whoever never chose.

    A cell of `kinds` that is not named is on. `topics` gives single topics channels of their own, which count there
    instead of `kinds`; of several, the closest: a title before its studio before its category. `digest` gathers mails
    other than live alerts. `caps` are notifications a day: mail beyond goes to the next daily digest, what else is
    beyond is suppressed. With `escalate_after` (minutes), a browser rings only when you have not read a notification
    here by then, and mail follows only when you have not read it after as long again.
    """

    kinds: dict[Kind, dict[Channel, bool]] = {}
    topics: dict[str, list[Channel]] = {}
    quiet_hours: QuietHours | None = None
    time_zone: str | None = Field(None, description="Of your profile; left out, it stays as it is", max_length=64)
    digest: Digest = Digest.NEVER
    digest_at: time = time(8)
    caps: dict[Channel, Cap] = {}
    escalate_after: Annotated[int, Field(ge=1, le=MOST_MINUTES)] | None = None


@router.get(
    "/preferences",
    response={200: PreferencesDocument, **NOT_YOURS},
    summary="Read preferences",
)
def get_preferences(request: HttpRequest) -> PreferencesDocument:
    """Which kinds reach you on which channel, and when."""
    return _document(_user(request))


@router.put("/preferences", response={200: PreferencesDocument, **REFUSALS}, summary="Set preferences")
@idempotent
def put_preferences(request: HttpRequest, body: PreferencesDocument) -> Status[PreferencesDocument]:
    """Replace all of them. They hold from the next notification on, and for what waits."""
    user = _user(request)
    with transaction.atomic():
        if body.time_zone is not None:
            update_profile(user=user, time_zone=body.time_zone)
        save_preferences(viewer_id=user.pk, preferences=_preferences(body))
    return Status(200, _document(user))


def _preferences(body: PreferencesDocument) -> Preferences:
    quiet = body.quiet_hours
    return Preferences(
        off=frozenset((kind, channel) for kind, cells in body.kinds.items() for channel, on in cells.items() if not on),
        topics={topic: tuple(channels) for topic, channels in body.topics.items()},
        quiet_hours=(_naive(quiet.start), _naive(quiet.end)) if quiet else None,
        digest=body.digest,
        digest_at=_naive(body.digest_at),
        caps={channel.value: cap for channel, cap in body.caps.items()},
        escalate_after=body.escalate_after,
    )


def _document(user: User) -> PreferencesDocument:
    held = preferences_of(viewer_id=user.pk)
    kinds: dict[Kind, dict[Channel, bool]] = {kind: {} for kind in Kind}
    for kind, channel in product(Kind, Channel):
        kinds[kind][channel] = held.wants(kind, channel)
    quiet = held.quiet_hours
    return PreferencesDocument(
        kinds=kinds,
        topics={topic: [Channel(channel) for channel in channels] for topic, channels in held.topics.items()},
        quiet_hours=QuietHours(start=quiet[0], end=quiet[1]) if quiet else None,
        time_zone=ViewerProfile.objects.get(pk=user.pk).time_zone,
        digest=held.digest,
        digest_at=held.digest_at,
        caps={Channel(channel): cap for channel, cap in held.caps.items()},
        escalate_after=held.escalate_after,
    )


def _naive(moment: time) -> time:
    """A time on the wall has no zone of its own."""
    return moment.replace(tzinfo=None)


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)
