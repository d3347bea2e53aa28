"""A test of one endpoint: a card that stands in no topic, and a delivery that goes the way of all others."""

from datetime import timedelta
from uuid import uuid4

from django.db import transaction

from accounts.clock import database_now
from accounts.commands import lock_profile
from accounts.problems import Problem
from broker.outbox import publish
from notifications.models import Kind, Notification

from .endpoints import UnknownEndpoint
from .events import deliveries_created
from .models import Delivery, Endpoint, Lane

MOST_AN_HOUR = 10  # for a viewer, on all channels
USEFUL_FOR = timedelta(minutes=10)


class TooManyTests(Problem):
    """A viewer has had so many tests this hour, and no more."""

    status = 429
    slug = "too-many-tests"
    title = f"There may be {MOST_AN_HOUR} tests an hour: try again later"


class EndpointIsOff(Problem):
    """Nothing is sent to an endpoint that is switched off."""

    status = 409
    slug = "endpoint-is-off"
    title = "This is switched off: switch it on first"


@transaction.atomic
def send_test(*, viewer_id: int, endpoint_id: int) -> Delivery:
    """Send a test to an endpoint of the viewer's, at once, whatever they prefer of quiet hours and caps.

    Raises `UnknownEndpoint`, `EndpointIsOff` and `TooManyTests`.
    """
    lock_profile(user_id=viewer_id)
    endpoint = Endpoint.objects.filter(viewer_id=viewer_id, pk=endpoint_id).first()
    if endpoint is None:
        raise UnknownEndpoint
    if not endpoint.on:
        raise EndpointIsOff
    now = database_now()
    recent = Notification.objects.filter(
        subject__startswith=f"test:{viewer_id}:", published_at__gt=now - timedelta(hours=1)
    )
    if recent.count() >= MOST_AN_HOUR:
        raise TooManyTests
    notification = Notification.objects.create(
        subject=f"test:{viewer_id}:{uuid4().hex}",
        subject_version=1,
        kind=Kind.ANNOUNCEMENT,
        title="This is a test",
        body="It works: what you follow can reach you here.",
        url="/notifications/preferences/",
        published_at=now,
        expires_at=now + USEFUL_FOR,
    )
    delivery = Delivery.objects.create(
        notification_id=notification.pk,
        viewer_id=viewer_id,
        channel=endpoint.channel,
        endpoint_id=endpoint.pk,
        lane=Lane.LIVE,
    )
    publish(deliveries_created(notification_id=notification.pk, first=viewer_id, count=1))
    return delivery


def test_delivery(*, viewer_id: int, endpoint_id: int, notification_id: int) -> Delivery | None:
    """What has become of a test."""
    return Delivery.objects.filter(
        viewer_id=viewer_id, endpoint_id=endpoint_id, notification_id=notification_id
    ).first()
