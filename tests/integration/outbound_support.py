"""What the tests of outbound deliveries share."""

from typing import Any

from django.db.models.functions import Now

from accounts.models import User
from notifications.commands import subscribe
from notifications.models import Notification
from notifications.outbound import creation, endpoints, sender
from notifications.outbound.models import Circuit, Delivery, Endpoint, Lane
from tests.support.outbound_sinks import WebSink

from .notifications_support import MOVIES, a_viewer, post

SOON = 5.0  # seconds: within which even a busy machine writes down what came of an attempt


def follower(**options: Any) -> User:
    user = a_viewer(**options)
    subscribe(viewer_id=user.pk, topic=MOVIES)
    return user


def hook(sink: WebSink, path: str = "/ok", *, host: str = "127.0.0.1", user: User | None = None) -> Endpoint:
    viewer = user or follower()
    return endpoints.add_webhook(viewer_id=viewer.pk, address=sink.url(path, host))


def deliver(title: str = "Low Tide", **card: Any) -> Notification:
    """Post, make the deliveries, and send those that are due."""
    notification = post(title, **card)
    make(notification)
    sender.drain()
    return notification


def make(notification: Notification, lane: int = Lane.RELEASE, *, viewers: tuple[int, int] = (0, creation.END)) -> int:
    """Make the deliveries of the viewers [first, last)."""
    first, last = viewers
    return creation.create(notification_id=notification.pk, lane=lane, first=first, last=last)


def again() -> None:
    Delivery.objects.filter(state="open").update(next_attempt_at=Now())
    Circuit.objects.all().delete()
    sender.drain()


def only() -> Delivery:
    return Delivery.objects.get()
