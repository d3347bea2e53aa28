"""What follows when a delivery cannot be made: a dead letter, an endpoint switched off, a way back."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Now

from broker import dead_letters
from broker.errors import NotReplayable
from broker.messages import from_body, to_body
from broker.models import DeadLetter
from broker.outbox import publish
from notifications.commands import post_notification
from notifications.given_topics import OWN_LABEL, own_topic
from notifications.models import Kind

from .events import EndpointSwitchedOff, deliveries_created, delivery_due, endpoint_switched_off
from .models import Delivery, Endpoint
from .outcomes import Outcome
from .parcels import DeliveryKey, Parcel

ORIGIN = "delivery"


def bury(ended: Sequence[tuple[Parcel, Outcome]]) -> None:
    """Keep deliveries that were never made as dead letters; in the transaction that ends them."""
    for parcel, outcome in ended:
        dead_letters.record(
            reason=DeadLetter.Reason.DELIVERY_FAILED,
            origin=f"{ORIGIN}:{parcel.key.channel}",
            body=to_body(delivery_due(parcel.key)),
            position=None,
            attempts=parcel.attempts,
            error=outcome.error,
        )


def switch_off(gone: Sequence[tuple[Parcel, Outcome]]) -> None:
    """Send nothing to these endpoints any more, and say so: once, however many deliveries found out."""
    reasons = {parcel.key.endpoint_id: outcome.error for parcel, outcome in gone}
    on = Endpoint.objects.select_for_update().filter(pk__in=reasons, disabled_at__isnull=True).order_by("pk")
    for endpoint in on:
        reason = reasons[endpoint.pk]
        Endpoint.objects.filter(pk=endpoint.pk).update(disabled_at=Now(), disabled_reason=reason)
        publish(
            endpoint_switched_off(
                EndpointSwitchedOff(
                    endpoint_id=endpoint.pk,
                    viewer_id=endpoint.viewer_id,
                    channel=endpoint.channel,
                    label=str(endpoint),
                    reason=reason,
                )
            )
        )


@transaction.atomic
def tell_viewer(*, endpoint_id: int, viewer_id: int, label: str, reason: str, version: int) -> None:
    """Tell a viewer on their own topic that an endpoint was switched off. `version` tells one time from the next."""
    switched_off_at = Endpoint.objects.filter(pk=endpoint_id).values_list("disabled_at", flat=True).first()
    if switched_off_at is None:  # gone, or on again
        return
    post_notification(
        subject=f"endpoint:{endpoint_id}:{version}",
        subject_version=1,
        kind=Kind.ANNOUNCEMENT,
        topics={own_topic(viewer_id): OWN_LABEL},
        title=f"Switched off: {label}"[:200],
        body=f"Nothing could be delivered there, so it was switched off. {reason}",
        url="/notifications/preferences/#channels",
        published_at=switched_off_at,
    )


def deliver_again(_channel: str, letter: DeadLetter) -> None:
    """Open a dead delivery again, with all its attempts. Raises `NotReplayable` where there is none any more."""
    data = from_body(letter.body).data
    key = DeliveryKey(data["notification_id"], data["viewer_id"], data["channel"], data["endpoint_id"])
    opened = Delivery.objects.filter(**key._asdict(), state=Delivery.State.DEAD).update(
        state=Delivery.State.OPEN, attempts=0, next_attempt_at=Now(), finished_at=None, lease_token=None
    )
    if not opened:
        raise NotReplayable(f"There is no dead delivery {key}: it was pruned, or opened already")
    publish(deliveries_created(notification_id=key.notification_id, first=key.viewer_id, count=1))
