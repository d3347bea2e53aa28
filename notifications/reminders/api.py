"""The API of reminders."""

from datetime import datetime
from typing import cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema, Status

from accounts.api import NOT_YOURS, ProblemDetail, idempotent
from accounts.auth import personal_auth
from accounts.models import User

from . import commands, queries
from .models import Reminder

router = Router(tags=["Notifications"], auth=personal_auth)
REFUSALS = {**NOT_YOURS, 404: ProblemDetail, 409: ProblemDetail, 422: ProblemDetail}


class ReminderOut(Schema):
    """A release that you will be reminded of, and when it starts."""

    release_id: UUID
    headline: str
    url: str
    starts_at: datetime


@router.get("/reminders", response={200: list[ReminderOut], **NOT_YOURS}, summary="List reminders")
def list_reminders(request: HttpRequest) -> list[ReminderOut]:
    """What you wait for, the nearest first."""
    return [_told(reminder) for reminder in queries.reminders_of(viewer_id=_viewer_id(request))]


@router.put("/reminders/{release_id}", response={200: ReminderOut, **REFUSALS}, summary="Remind me")
@idempotent
def put_reminder(request: HttpRequest, release_id: UUID) -> Status[ReminderOut]:
    """Be told some minutes before a release starts; if it is moved, before it starts then."""
    return Status(200, _told(commands.remind(viewer_id=_viewer_id(request), release_id=release_id)))


@router.delete(
    "/reminders/{release_id}",
    response={204: None, **NOT_YOURS},
    summary="Take a reminder back",
)
@idempotent
def delete_reminder(request: HttpRequest, release_id: UUID) -> Status[None]:
    """Not be reminded. Again is fine."""
    commands.forget(viewer_id=_viewer_id(request), release_id=release_id)
    return Status(204, None)


def _told(reminder: Reminder) -> ReminderOut:
    upcoming = reminder.upcoming
    starts_at = cast("datetime", upcoming.starts_at)  # what waits has a start
    return ReminderOut(release_id=upcoming.pk, headline=upcoming.headline, url=upcoming.url, starts_at=starts_at)


def _viewer_id(request: HttpRequest) -> int:
    return cast("User", request.user).pk
