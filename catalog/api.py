"""The studio's side of the HTTP API."""

from uuid import UUID

from django.http import HttpRequest
from ninja import File, Router, Status
from ninja.files import UploadedFile

from accounts.api import ProblemDetail, idempotent
from accounts.models import User
from accounts.permissions import studio_of_token

from . import commands
from .api_schemas import AssetOut, RecallIn, ReleaseChanges, ReleaseIn, ReleaseOut, ScheduleIn, asset_out, release_out
from .errors import InvalidRelease, NotAllowed
from .models import Studio
from .studio_queries import release_for, studio_of, studios_of

router = Router(tags=["Releases"])
REFUSALS = {401: ProblemDetail, 403: ProblemDetail, 404: ProblemDetail, 409: ProblemDetail, 422: ProblemDetail}


@router.post("/releases", response={201: ReleaseOut, **REFUSALS}, summary="Draft a release")
@idempotent
def draft_release(request: HttpRequest, body: ReleaseIn) -> Status[ReleaseOut]:
    """Begin a release as a draft.

    `title` is the slug of one of the studio's titles, or a name: a name that the studio does not have yet makes a
    title in `category`. `studio` may be left out when the token is for one studio, or you are a member of one only.
    """
    studio = _studio(request, body.studio)
    details = body.model_dump(exclude={"studio"})
    release = commands.draft_release(actor=_user(request), studio=studio, **details)
    return Status(201, release_out(release))


@router.get("/releases/{uuid:release_id}", response={200: ReleaseOut, **REFUSALS}, summary="Read a release")
def read_release(request: HttpRequest, release_id: UUID) -> Status[ReleaseOut]:
    """A release as members of its studio see it, with the progress of its video."""
    return _answer(request, release_id, status=200)


@router.patch("/releases/{uuid:release_id}", response={200: ReleaseOut, **REFUSALS}, summary="Change a release")
@idempotent
def change_release(request: HttpRequest, release_id: UUID, body: ReleaseChanges) -> Status[ReleaseOut]:
    """Change what is given and leave the rest. Subscribers of a published release see their cards change."""
    _check_scope(request, release_id)
    changes = body.model_dump(exclude_unset=True)
    commands.edit_release(actor=_user(request), release_id=release_id, changes=changes)
    return _answer(request, release_id, status=200)


@router.post(
    "/releases/{uuid:release_id}/asset", response={202: AssetOut, 413: ProblemDetail, **REFUSALS}, summary="Upload"
)
@idempotent
def upload_asset(request: HttpRequest, release_id: UUID, file: File[UploadedFile]) -> Status[AssetOut]:
    """Upload the video, as `multipart/form-data` in the part `file`. It is encoded in the background.

    Read the release to follow `asset.state`, `asset.percent` and, when it fails, `asset.error`. Another upload takes
    the place of this one.
    """
    _check_scope(request, release_id)
    asset = commands.attach_asset(actor=_user(request), release_id=release_id, upload=file)
    return Status(202, asset_out(asset))


@router.post("/releases/{uuid:release_id}/publish", response={202: ReleaseOut, **REFUSALS}, summary="Publish")
@idempotent
def publish_release(request: HttpRequest, release_id: UUID) -> Status[ReleaseOut]:
    """Publish now; subscribers are told. A release without a video is announced.

    Refused with `still-encoding` or `encoding-failed` while there is a video that cannot be played, and with
    `already-published` the second time, unless both requests carry the same `Idempotency-Key`.
    """
    _check_scope(request, release_id)
    commands.publish_release(release_id=release_id, actor=_user(request))
    return _answer(request, release_id, status=202)


@router.post("/releases/{uuid:release_id}/schedule", response={202: ReleaseOut, **REFUSALS}, summary="Schedule")
@idempotent
def schedule_release(request: HttpRequest, release_id: UUID, body: ScheduleIn) -> Status[ReleaseOut]:
    """Publish at a later moment, or as soon after it as the video is ready. `{"at": null}` makes it a draft again."""
    _check_scope(request, release_id)
    commands.schedule_release(actor=_user(request), release_id=release_id, at=body.at)
    return _answer(request, release_id, status=202)


@router.post("/releases/{uuid:release_id}/recall", response={202: ReleaseOut, **REFUSALS}, summary="Recall")
@idempotent
def recall_release(request: HttpRequest, release_id: UUID, body: RecallIn | None = None) -> Status[ReleaseOut]:
    """Take a published release back, for good. Subscribers' cards change and give the reason."""
    _check_scope(request, release_id)
    reason = body.reason if body else ""
    commands.recall_release(actor=_user(request), release_id=release_id, reason=reason)
    return _answer(request, release_id, status=202)


def _answer(request: HttpRequest, release_id: UUID, *, status: int) -> Status[ReleaseOut]:
    _check_scope(request, release_id)
    return Status(status, release_out(release_for(user=_user(request), release_id=release_id)))


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise NotAllowed("Sign in first.")
    return request.user


def _check_scope(request: HttpRequest, release_id: UUID) -> None:
    """Raise `NotFound`, or `NotAllowed` for another studio than the user's and the token's."""
    release = release_for(user=_user(request), release_id=release_id)
    _check_token(request, release.title.studio.slug)


def _check_token(request: HttpRequest, slug: str) -> None:
    own = studio_of_token(request)
    if own and own != slug:
        raise NotAllowed(f"This token is for the studio {own!r} alone.")


def _studio(request: HttpRequest, slug: str) -> Studio:
    """The studio that is meant. Raises `NotFound`, `NotAllowed`, or `InvalidRelease` when it is not clear."""
    slug = slug or studio_of_token(request)
    if slug:
        _check_token(request, slug)
        return studio_of(user=_user(request), slug=slug)[0]
    mine = studios_of(user=_user(request))
    if not mine:
        raise NotAllowed("You are not a member of any studio.")
    if len(mine) > 1:
        slugs = ", ".join(member.studio.slug for member in mine)
        raise InvalidRelease(f"Say in `studio` for which one of your studios: {slugs}.", field="studio")
    return mine[0].studio
