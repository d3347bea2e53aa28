"""Events over HTTP: a studio's own systems send CloudEvents, and read what became of them."""

from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status

from accounts.api import ProblemDetail
from accounts.auth import BearerToken
from accounts.models import ApiToken, User
from broker.cloudevents import BATCH, STRUCTURED, InvalidEvents, UnsupportedFormat, read

from .errors import EventFormatNotSupported, EventsTooLarge, NotAllowed
from .ingest import ACCEPTED, Receipt, accept_events, invalid
from .models import ReceivedEvent, Studio
from .studio_queries import studio_of

router = Router(tags=["Events"], auth=BearerToken())
MAX_BYTES = 1024**2
MAX_BATCH = 100
MAX_PAGE = 200
REFUSALS = {401: ProblemDetail, 403: ProblemDetail}


class ReceiptOut(Schema):
    """An event that was taken. A duplicate was taken before and has no further effect."""

    source: str
    id: str
    is_duplicate: bool


class ReceivedOut(Schema):
    """An event and what became of it. `problem` says why it was refused, as problem details."""

    source: str
    id: str
    type: str
    state: ReceivedEvent.State
    release: UUID | None
    problem: dict[str, Any] | None
    received_at: datetime


_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 255},
        "source": {"type": "string", "format": "uri-reference", "minLength": 1, "maxLength": 255},
        "type": {"enum": list(ACCEPTED)},
        "subject": {"type": "string", "minLength": 1},
        "time": {"type": "string", "format": "date-time"},
        "schemaversion": {"type": "integer", "minimum": 1, "default": 1},
        "expirytime": {"type": "string", "format": "date-time"},
        "traceparent": {"type": "string"},
        "data": {"type": "object", "description": "See /api/v1/asyncapi.json for the data of each type"},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED: {"schema": _EVENT},
            BATCH: {"schema": {"type": "array", "maxItems": MAX_BATCH, "items": _EVENT}},
            "application/json": {"schema": {"type": "object", "description": "The data; attributes are `ce-` headers"}},
        },
    }
}


@router.post(
    "/events",
    response={
        202: list[ReceiptOut],
        409: ProblemDetail,
        413: ProblemDetail,
        415: ProblemDetail,
        422: ProblemDetail,
        **REFUSALS,
    },
    summary="Send events",
    openapi_extra=_BODY,
)
def send_events(request: HttpRequest) -> Status[list[Receipt]]:
    """Send CloudEvents 1.0 with a token of your studio: one structured, one binary (`ce-` headers), or a batch.

    Types: `studio.release.planned` drafts or changes a release, `studio.release.scheduled` schedules it,
    `studio.release.withdrawn` recalls it; you name the release by a `reference` of your own. 202 says that all events
    were taken, and will be acted upon in this order; read what became of them at `GET /events`.

    A batch is taken whole or not at all, because later events may build on earlier ones: the refusal names every
    attribute at fault, `2/data.kind` being that of the third event. Events are known by `source` and `id`, so sending
    something again does nothing; another event under the same two is refused. At most 1 MiB and 100 events a request.
    """
    body = _limited_body(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        events, is_batch = read(content_type=request.headers.get("Content-Type", ""), headers=headers, body=body)
    except UnsupportedFormat as error:
        raise EventFormatNotSupported(str(error), errors=[{"at": "Content-Type", "message": str(error)}]) from error
    except InvalidEvents as error:
        raise invalid(error.faults) from error
    if len(events) > MAX_BATCH:
        raise EventsTooLarge(f"The batch holds {len(events)} events; {MAX_BATCH} is the limit.")
    user = cast("User", request.user)
    return Status(202, accept_events(actor=user, studio=_studio(request), events=events, is_batch=is_batch))


@router.get("/events", response={200: list[ReceivedOut], 422: ProblemDetail, **REFUSALS}, summary="Read sent events")
def read_events(request: HttpRequest, limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50) -> list[ReceivedOut]:
    """What your studio's systems sent during the last 30 days and what became of it, the newest first."""
    received = ReceivedEvent.objects.filter(studio=_studio(request)).order_by("-received_at", "-pk")[:limit]
    return [
        ReceivedOut(
            source=event.source,
            id=event.event_id,
            type=event.type,
            state=ReceivedEvent.State(event.state),
            release=event.release_id,
            problem=event.problem,
            received_at=event.received_at,
        )
        for event in received
    ]


def _limited_body(request: HttpRequest) -> bytes:
    announced = request.headers.get("Content-Length", "")
    too_large = EventsTooLarge(f"The request is larger than {MAX_BYTES} bytes, which is the limit.")
    if announced.isdigit() and int(announced) > MAX_BYTES:
        raise too_large
    body = request.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise too_large
    return body


def _studio(request: HttpRequest) -> Studio:
    """The studio that the token is for. Raises `NotAllowed` for a token without one, or of somebody who left."""
    token = cast("ApiToken", getattr(request, "auth", None))
    if not token.studio_slug:
        raise NotAllowed("Events need a token that is for one studio: make it on the studio's page.")
    return studio_of(user=cast("User", request.user), slug=token.studio_slug)[0]
