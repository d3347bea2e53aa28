"""The API of channels: mail, browsers, webhooks."""

from datetime import datetime
from typing import cast

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from accounts.api import NOT_YOURS, ProblemDetail, idempotent
from accounts.auth import personal_auth
from accounts.models import User

from . import endpoints, queries
from .addresses import MAX_URL
from .web_push.keys import public_key

router = Router(tags=["Channels"], auth=personal_auth)
REFUSALS = {**NOT_YOURS, 404: ProblemDetail, 409: ProblemDetail, 422: ProblemDetail}


class EndpointOut(Schema):
    """One place at which you are told. `disabled_reason` says why we switched it off, where we did."""

    id: int
    channel: str
    address: str
    label: str
    on: bool
    disabled_at: datetime | None
    disabled_reason: str


class WebhookOut(EndpointOut):
    """A webhook with the secret that signs what it gets."""

    secret: str


class ChannelsOut(Schema):
    """Your endpoints, and the key that a browser subscribes with."""

    endpoints: list[EndpointOut]
    vapid_public_key: str


class SwitchIn(Schema):
    """On or off."""

    on: bool


class BrowserKeys(Schema):
    """The keys of a push subscription."""

    p256dh: str = Field(max_length=120)
    auth: str = Field(max_length=60)


class BrowserIn(Schema):
    """What `PushSubscription.toJSON()` gives."""

    endpoint: str = Field(max_length=MAX_URL)
    keys: BrowserKeys
    label: str = Field(default="", max_length=120)


class WebhookIn(Schema):
    """Where to post."""

    url: str = Field(max_length=MAX_URL)
    label: str = Field(default="", max_length=120)


@router.get("/channels", response={200: ChannelsOut, **NOT_YOURS}, summary="List channels")
def list_channels(request: HttpRequest) -> ChannelsOut:
    """Where you are told besides this site."""
    found = queries.endpoints_of(viewer_id=_viewer_id(request))
    return ChannelsOut(endpoints=[EndpointOut.from_orm(endpoint) for endpoint in found], vapid_public_key=public_key())


@router.put("/channels/mail", response={200: EndpointOut, **REFUSALS}, summary="Mail on or off")
@idempotent
def put_mail(request: HttpRequest, body: SwitchIn) -> Status[EndpointOut]:
    """Mail goes to your account's address."""
    return Status(200, EndpointOut.from_orm(endpoints.set_mail(viewer_id=_viewer_id(request), on=body.on)))


@router.post("/channels/browsers", response={201: EndpointOut, **REFUSALS}, summary="Add a browser")
@idempotent
def post_browser(request: HttpRequest, body: BrowserIn) -> Status[EndpointOut]:
    """Push to a browser that subscribed with our key. The same again replaces its keys."""
    added = endpoints.add_browser(
        viewer_id=_viewer_id(request),
        address=body.endpoint,
        push_key=body.keys.p256dh,
        push_auth=body.keys.auth,
        label=body.label,
    )
    return Status(201, EndpointOut.from_orm(added))


@router.post("/channels/webhooks", response={201: WebhookOut, **REFUSALS}, summary="Add a webhook")
@idempotent
def post_webhook(request: HttpRequest, body: WebhookIn) -> Status[WebhookOut]:
    """Post each notification to a public address, signed with the secret that you get here."""
    added = endpoints.add_webhook(viewer_id=_viewer_id(request), address=body.url, label=body.label)
    return Status(201, WebhookOut.from_orm(added))


@router.post(
    "/channels/webhooks/{endpoint_id}/rotate", response={200: WebhookOut, **REFUSALS}, summary="Replace a secret"
)
@idempotent
def rotate_secret(request: HttpRequest, endpoint_id: int) -> Status[WebhookOut]:
    """A new secret. For a day everything is signed with both."""
    rotated = endpoints.rotate_secret(viewer_id=_viewer_id(request), endpoint_id=endpoint_id)
    return Status(200, WebhookOut.from_orm(rotated))


@router.put("/channels/{endpoint_id}", response={200: EndpointOut, **REFUSALS}, summary="Switch on or off")
@idempotent
def put_endpoint(request: HttpRequest, endpoint_id: int, body: SwitchIn) -> Status[EndpointOut]:
    """Also what we switched off can be switched on again."""
    switched = endpoints.switch(viewer_id=_viewer_id(request), endpoint_id=endpoint_id, on=body.on)
    return Status(200, EndpointOut.from_orm(switched))


@router.delete(
    "/channels/{endpoint_id}",
    response={204: None, **NOT_YOURS},
    summary="Remove an endpoint",
)
@idempotent
def delete_endpoint(request: HttpRequest, endpoint_id: int) -> Status[None]:
    """Again is fine."""
    endpoints.remove(viewer_id=_viewer_id(request), endpoint_id=endpoint_id)
    return Status(204, None)


def _viewer_id(request: HttpRequest) -> int:
    return cast("User", request.user).pk
