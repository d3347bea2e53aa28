"""Refusals with a name. Each is an exception, and knows how to say itself over HTTP (RFC 9457)."""

from typing import Any, ClassVar


class Problem(Exception):
    """A request was refused; nothing was changed.

    Subclasses name the refusal with `slug`, which becomes the problem's `type`, and say with `status` what HTTP
    would call it. The message is written for humans: what happened, and what to do. `extras` become further
    members of the problem document.
    """

    status: ClassVar[int] = 400
    slug: ClassVar[str] = "bad-request"
    title: ClassVar[str] = "The request cannot be served"

    def __init__(self, detail: str = "", **extras: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extras = extras

    def as_document(self) -> dict[str, Any]:
        """The problem document of RFC 9457, section 3."""
        document = {"type": f"/problems/{self.slug}", "title": self.title, "status": self.status, "detail": self.detail}
        return {**self.extras, **document}


class DatabaseAway(Problem):
    """PostgreSQL cannot be reached. Whether a write was kept shows when it is repeated under its `Idempotency-Key`."""

    status = 503
    slug = "database-away"
    title = "The database cannot be reached at the moment"


class NotSignedIn(Problem):
    """Nobody is signed in, and no valid token was sent."""

    status = 401
    slug = "not-signed-in"
    title = "Sign in, or send a valid bearer token"


class StudioTokenRefused(Problem):
    """A token that is for one studio was used for what is its owner's own."""

    status = 403
    slug = "studio-token"
    title = "This token is for a studio alone: make one of your own for this"


class CsrfFailed(Problem):
    """A write with a session cookie came without its CSRF token."""

    status = 403
    slug = "csrf-failed"
    title = "The CSRF token is missing or wrong"


class OverlappingMembership(Problem):
    """A membership period would overlap another of the same viewer."""

    status = 409
    slug = "overlapping-membership"
    title = "This viewer is already a member in a part of that time"


class NoMembership(Problem):
    """There is no membership period to end."""

    status = 409
    slug = "no-membership"
    title = "There is no membership to end"


class InvalidProfile(Problem):
    """A preference has a value that does not exist."""

    status = 422
    slug = "invalid-profile"
    title = "The profile has a value that does not exist"


class EmailTaken(Problem):
    """Somebody already signs in with this address."""

    status = 409
    slug = "email-taken"
    title = "Somebody already signs in with this address"


class UnknownToken(Problem):
    """The API token does not exist, or is somebody else's."""

    status = 404
    slug = "unknown-token"
    title = "There is no such token"


class InvalidIdempotencyKey(Problem):
    """`Idempotency-Key` is empty or too long."""

    status = 400
    slug = "invalid-idempotency-key"
    title = "The Idempotency-Key must have 1 to 128 characters"


class LostAnswer(Problem):
    """The write was done when `Idempotency-Key` first came; its answer was sealed under a key that is gone."""

    status = 409
    slug = "lost-answer"
    title = "This was done before, but its answer cannot be read any more"


class IdempotencyKeyReused(Problem):
    """`Idempotency-Key` was sent before with another request."""

    status = 422
    slug = "idempotency-key-reused"
    title = "This Idempotency-Key was used for another request"
