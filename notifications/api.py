"""The viewer's side of the HTTP API: topics, subscriptions, inbox."""

from datetime import datetime
from typing import Annotated, cast

from django.http import HttpRequest
from ninja import Path, Query, Router, Status

from accounts.api import NOT_YOURS, ProblemDetail, idempotent
from accounts.auth import personal_auth
from accounts.models import User

from . import commands, queries, read_commands
from .api_schemas import (
    IdsIn,
    InboxOut,
    KindsIn,
    MuteIn,
    ReadIn,
    ReadOut,
    ReasonOut,
    SubscriptionOut,
    TooManyFollowed,
    TopicGroupOut,
    UnknownKinds,
    UnknownNotification,
    UnknownTopic,
    UnusableMute,
)
from .errors import InvalidKinds, InvalidMute, InvalidTopic, NotFollowed, TooManyTopics
from .models import Subscription

router = Router(tags=["Notifications"], auth=personal_auth)
REFUSALS = {**NOT_YOURS, 422: ProblemDetail}


@router.get("/topics", response={200: list[TopicGroupOut], **NOT_YOURS}, summary="List topics")
def list_topics(request: HttpRequest) -> list[queries.TopicGroup]:
    """Categories, studios and the titles that you follow, each with whether you are subscribed and to which kinds."""
    return queries.topics_for(_viewer_id(request))


@router.get(
    "/subscriptions",
    response={200: list[SubscriptionOut], **NOT_YOURS},
    summary="List subscriptions",
)
def list_subscriptions(request: HttpRequest) -> list[SubscriptionOut]:
    """What you follow now."""
    followed = queries.subscriptions_of(viewer_id=_viewer_id(request))
    return [
        SubscriptionOut(topic=topic, kinds=list(each.kinds), muted_until=each.muted_until)
        for topic, each in followed.items()
    ]


@router.put(
    "/subscriptions/{topic}", response={200: SubscriptionOut, 409: ProblemDetail, **REFUSALS}, summary="Subscribe"
)
@idempotent
def put_subscription(request: HttpRequest, topic: str, body: KindsIn | None = None) -> Status[SubscriptionOut]:
    """Follow a topic from its next posting on, for all kinds or those given. The same again changes nothing."""
    kinds = body.kinds if body else None
    try:
        made = commands.subscribe(viewer_id=_viewer_id(request), topic=topic, kinds=kinds)
    except InvalidTopic as error:
        raise UnknownTopic(str(error)) from error
    except InvalidKinds as error:
        raise UnknownKinds(str(error)) from error
    except TooManyTopics as error:
        raise TooManyFollowed(str(error)) from error
    return Status(200, _told(topic, made))


@router.delete("/subscriptions/{topic}", response={204: None, **NOT_YOURS}, summary="Unsubscribe")
@idempotent
def delete_subscription(request: HttpRequest, topic: str) -> Status[None]:
    """Stop following a topic; what was posted so far stays in your inbox. Again is fine."""
    commands.unsubscribe(viewer_id=_viewer_id(request), topic=topic)
    return Status(204, None)


@router.put("/subscriptions/{topic}/mute", response={200: SubscriptionOut, **REFUSALS}, summary="Mute")
@idempotent
def put_mute(request: HttpRequest, topic: str, body: MuteIn) -> Status[SubscriptionOut]:
    """Let nothing that is posted to a topic before `until` reach you; what comes by another topic does."""
    return Status(200, _told(topic, _muted(request, topic, body.until)))


@router.delete("/subscriptions/{topic}/mute", response={200: SubscriptionOut, **REFUSALS}, summary="Unmute")
@idempotent
def delete_mute(request: HttpRequest, topic: str) -> Status[SubscriptionOut]:
    """Hear of a topic again, from its next posting on."""
    return Status(200, _told(topic, _muted(request, topic, None)))


@router.get("/inbox", response={200: InboxOut, **REFUSALS}, summary="Read the inbox")
def read_inbox(
    request: HttpRequest,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=queries.MAX_PAGE)] = 30,
) -> queries.InboxPage:
    """Your notifications, newest first. Give `next_before` as `before` to get the next page.

    `epoch` and `positions` are those to resume a live connection from.
    """
    return queries.inbox(viewer_id=_viewer_id(request), before=before, limit=limit)


@router.get(
    "/inbox/{notification_id}/why",
    response={200: list[ReasonOut], 404: ProblemDetail, **REFUSALS},
    summary="Why did I get this?",
)
def read_why(request: HttpRequest, notification_id: Annotated[int, Path(ge=1)]) -> list[queries.Reason]:
    """By which topics a notification reached you."""
    reasons = queries.why(viewer_id=_viewer_id(request), notification_id=notification_id)
    if not reasons:
        raise UnknownNotification
    return queries.by_topic(reasons)


@router.post("/inbox/read", response={200: ReadOut, **REFUSALS}, summary="Mark as read")
@idempotent
def mark_read(request: HttpRequest, body: ReadIn) -> Status[ReadOut]:
    """Mark notifications by their ids, or all up to `positions`, as read. Your open tabs and devices follow."""
    news = read_commands.mark_read(viewer_id=_viewer_id(request), ids=body.ids, positions=body.positions)
    return Status(200, ReadOut.from_orm(news))


@router.post("/inbox/unread", response={200: ReadOut, **REFUSALS}, summary="Mark as unread")
@idempotent
def mark_unread(request: HttpRequest, body: IdsIn) -> Status[ReadOut]:
    """Mark notifications as unread, whatever you have read."""
    return Status(200, ReadOut.from_orm(read_commands.mark_unread(viewer_id=_viewer_id(request), ids=body.ids)))


@router.post("/inbox/dismiss", response={200: ReadOut, **REFUSALS}, summary="Dismiss")
@idempotent
def dismiss(request: HttpRequest, body: IdsIn) -> Status[ReadOut]:
    """Take notifications out of your inbox. One that changes after that is there again, unread."""
    return Status(200, ReadOut.from_orm(read_commands.dismiss(viewer_id=_viewer_id(request), ids=body.ids)))


@router.post("/inbox/restore", response={200: ReadOut, **REFUSALS}, summary="Take a dismissal back")
@idempotent
def restore(request: HttpRequest, body: IdsIn) -> Status[ReadOut]:
    """Have dismissed notifications in your inbox again, read or unread as they were."""
    return Status(200, ReadOut.from_orm(read_commands.restore(viewer_id=_viewer_id(request), ids=body.ids)))


def _muted(request: HttpRequest, topic: str, until: datetime | None) -> Subscription:
    try:
        return commands.mute(viewer_id=_viewer_id(request), topic=topic, until=until)
    except (InvalidMute, NotFollowed) as error:
        raise UnusableMute(str(error)) from error


def _told(topic: str, subscription: Subscription) -> SubscriptionOut:
    return SubscriptionOut(topic=topic, kinds=subscription.kinds, muted_until=subscription.muted_until)


def _viewer_id(request: HttpRequest) -> int:
    return cast("User", request.user).pk
