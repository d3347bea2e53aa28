"""What every part of the API shares: who calls, refusals as problem details, idempotency."""

import logging
from http import HTTPStatus
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError

from .auth import auth
from .idempotency import idempotent
from .problems import DatabaseAway, NotSignedIn, Problem

__all__ = [
    "NOT_YOURS",
    "Problem",
    "ProblemDetail",
    "auth",
    "idempotent",
    "problem_response",
    "register_problem_handlers",
]

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2


class ProblemDetail(Schema):
    """A refusal, as RFC 9457 has it. `type` names it; `detail` says what happened and what to do."""

    type: str
    title: str
    status: int
    detail: str


NOT_YOURS = {401: ProblemDetail, 403: ProblemDetail}  # what is a viewer's own answers so to others


class InvalidRequest(Problem):
    """The request does not fit the schema; `errors` says where."""

    status = 422
    slug = "invalid-request"
    title = "The request does not fit the schema"


def problem_response(document: dict[str, Any]) -> JsonResponse:
    """An answer with a problem document."""
    response = JsonResponse(document, status=document["status"], content_type="application/problem+json")
    if document["status"] == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="Marquee"'
    if document["status"] == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def register_problem_handlers(api: NinjaAPI) -> None:
    """Let `api` answer every refusal and every failure with a problem document."""
    for kind, handler in _HANDLERS.items():
        api.add_exception_handler(kind, handler)


def _problem(request: HttpRequest, exception: Any) -> HttpResponse:
    return problem_response(exception.as_document())


def _not_signed_in(request: HttpRequest, exception: Any) -> HttpResponse:
    return problem_response(NotSignedIn().as_document())


def _invalid(request: HttpRequest, exception: Any) -> HttpResponse:
    errors = [
        {"at": "/".join(str(part) for part in error["loc"]), "message": error["msg"]} for error in exception.errors
    ]
    places = "; ".join(f"{error['at']}: {error['message']}" for error in errors)
    return problem_response(InvalidRequest(places, errors=errors).as_document())


def _http_error(request: HttpRequest, exception: Any) -> HttpResponse:
    return _plain(exception.status_code, str(exception))


def _not_found(request: HttpRequest, exception: Any) -> HttpResponse:
    return _plain(HTTPStatus.NOT_FOUND, "There is nothing at this address.")


def _database_away(request: HttpRequest, exception: Any) -> HttpResponse:
    logger.warning("The database was away at %s %s: %s", request.method, request.path, str(exception).strip())
    detail = "Send the request again in a moment; with the same Idempotency-Key it has the effect of one."
    return problem_response(DatabaseAway(detail).as_document())


def _failure(request: HttpRequest, exception: Any) -> HttpResponse:
    logger.error("The API failed at %s %s", request.method, request.path, exc_info=exception)
    detail = "The server failed. Send the request again: with the same Idempotency-Key it has the effect of one."
    return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def _plain(status: int, detail: str) -> HttpResponse:
    title = HTTPStatus(status).phrase
    return problem_response({"type": "about:blank", "title": title, "status": int(status), "detail": detail})


_HANDLERS: dict[type[Exception], Any] = {
    Problem: _problem,
    AuthenticationError: _not_signed_in,
    ValidationError: _invalid,
    HttpError: _http_error,
    Http404: _not_found,
    OperationalError: _database_away,
    InterfaceError: _database_away,
    Exception: _failure,
}
