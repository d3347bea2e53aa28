"""Why the catalog refuses something; each name is part of the API."""

from collections.abc import Mapping
from typing import Any

from accounts.problems import Problem


class NotAllowed(Problem):
    """The actor's role in the studio does not include this."""

    status = 403
    slug = "not-allowed"
    title = "You may not do this"


class NotFound(Problem):
    """There is no such release, title or studio."""

    status = 404
    slug = "not-found"
    title = "There is no such thing"


class IllegalTransition(Problem):
    """The life of a release has no such step."""

    status = 409
    slug = "illegal-transition"
    title = "The release is not in a state that allows this"


class AlreadyPublished(IllegalTransition):
    """A release is published once."""

    slug = "already-published"
    title = "The release is published already"


class AlreadyRecalled(IllegalTransition):
    """A release is recalled once, and for good."""

    slug = "already-recalled"
    title = "The release is recalled already"


class StillEncoding(IllegalTransition):
    """Its video is not encoded yet."""

    slug = "still-encoding"
    title = "The video is still being encoded"


class EncodingHasFailed(IllegalTransition):
    """Its video could not be encoded."""

    slug = "encoding-failed"
    title = "The video could not be encoded"


class ConcurrentEdit(Problem):
    """Somebody else changed the same field meanwhile; `theirs` has their values by field."""

    status = 409
    slug = "concurrent-edit"
    title = "Somebody else changed this meanwhile"

    def __init__(self, theirs: Mapping[str, Any]) -> None:
        said = " and ".join(f"the {name.replace('_', ' ')} to “{value}”" for name, value in theirs.items())
        super().__init__(f"Meanwhile somebody else changed {said}. Which is to stand?", theirs=dict(theirs))


class InvalidRelease(Problem):
    """A release, title or studio was described with values that make no sense."""

    status = 422
    slug = "invalid-release"
    title = "The release is not complete or not possible"


class InvalidEvent(Problem):
    """An event that a studio's system sent cannot be taken; `errors` says where and why."""

    status = 422
    slug = "invalid-event"
    title = "The event cannot be taken"


class EventIdReused(Problem):
    """An event came with the source and id of another one."""

    status = 409
    slug = "event-id-reused"
    title = "Another event has this source and id"


class EventFormatNotSupported(Problem):
    """The request's content type is none in which events are taken."""

    status = 415
    slug = "event-format-not-supported"
    title = "Events are not taken in this format"


class EventsTooLarge(Problem):
    """The request with events is over a limit."""

    status = 413
    slug = "events-too-large"
    title = "The events are too large"


class InvalidUpload(Problem):
    """The uploaded file cannot be used; the message tells the studio why."""

    status = 422
    slug = "invalid-upload"
    title = "The file cannot be used"


class UploadTooLarge(InvalidUpload):
    """The uploaded file is over the limit."""

    status = 413
    slug = "upload-too-large"
    title = "The file is too large"
