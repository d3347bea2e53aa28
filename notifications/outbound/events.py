"""The messages by which outbound deliveries travel from one work queue to the next."""

from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, ConfigDict

from broker.messages import Message
from broker.schemas import register
from notifications.models import PRESSING_KINDS, Kind, Notification

from .models import Lane
from .parcels import DeliveryKey

EXCHANGE = "outbound"


@register("deliveries.wanted", 1)
class DeliveriesWanted(BaseModel):
    """The viewers [first, last) are to be told of a notification outside the platform."""

    model_config = ConfigDict(extra="forbid")

    notification_id: int
    lane: int
    first: int
    last: int


@register("deliveries.created", 1)
class DeliveriesCreated(BaseModel):
    """Deliveries of a notification wait to be sent."""

    model_config = ConfigDict(extra="forbid")

    notification_id: int
    count: int


@register("delivery.due", 1)
class DeliveryDue(BaseModel):
    """One delivery, as a dead letter holds it."""

    model_config = ConfigDict(extra="forbid")

    notification_id: int
    viewer_id: int
    channel: str
    endpoint_id: int


@register("endpoint.switched_off", 1)
class EndpointSwitchedOff(BaseModel):
    """An endpoint of a viewer's takes nothing any more; nothing is sent there until they switch it on again."""

    model_config = ConfigDict(extra="forbid")

    endpoint_id: int
    viewer_id: int
    channel: str
    label: str
    reason: str


def lane_of(kind: str) -> Lane:
    """Live alerts before releases before digests and recommendations."""
    if Kind(kind) in PRESSING_KINDS:
        return Lane.LIVE
    return Lane.DIGEST if kind == Kind.RECOMMENDATION else Lane.RELEASE


def deliveries_wanted(notification: Notification, *, first: int, last: int) -> Message:
    """The message that makes one shard's deliveries; live alerts do not wait behind others."""
    lane = lane_of(notification.kind)
    data = DeliveriesWanted(notification_id=notification.pk, lane=lane, first=first, last=last)
    return Message(
        type="deliveries.wanted",
        data=data.model_dump(),
        key=f"deliveries:{notification.pk}:{first}",
        exchange=EXCHANGE,
        routing_key=f"deliveries.wanted.{'high' if lane == Lane.LIVE else 'normal'}",
        expires_at=notification.expires_at,
    )


def deliveries_created(*, notification_id: int, first: int, count: int) -> Message:
    """The message that wakes a sender."""
    return Message(
        type="deliveries.created",
        data=DeliveriesCreated(notification_id=notification_id, count=count).model_dump(),
        key=f"deliveries:{notification_id}:{first}",
        exchange=EXCHANGE,
        routing_key="deliveries.created",
    )


def delivery_due(key: DeliveryKey) -> Message:
    """One delivery as a message: for dead letters. Its id is the delivery's at every failure."""
    return Message(
        id=uuid5(NAMESPACE_URL, f"delivery:{key}"),
        type="delivery.due",
        data=DeliveryDue(**key._asdict()).model_dump(),
        key=f"endpoint:{key.endpoint_id}",
        exchange=EXCHANGE,
        routing_key="delivery.due",
    )


def endpoint_switched_off(data: EndpointSwitchedOff) -> Message:
    """The message that lets a viewer know."""
    return Message(
        type="endpoint.switched_off",
        data=data.model_dump(),
        key=f"endpoint:{data.endpoint_id}",
        exchange=EXCHANGE,
        routing_key="endpoint.switched_off",
    )
