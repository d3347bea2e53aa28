"""Handlers of the outbound work queues. Each may run twice: what is there already stays as it is."""

import fcntl
import tempfile
from pathlib import Path

from broker.messages import Message
from notifications.crowds import let_pass
from notifications.events import NotificationPosted

from . import creation, endings, queries
from .events import DeliveriesWanted, EndpointSwitchedOff

# Opened before a worker forks, so that its children share it: they lock it against each other, and a killed one's
# lock goes with it. One of them sends, which leaves the others for making deliveries.
_sending, _name = tempfile.mkstemp()
Path(_name).unlink()


def plan_deliveries(message: Message) -> None:
    """Ask for the deliveries of what was posted once no crowd is in the way."""
    let_pass()
    _plan(message)


def plan_alerts(message: Message) -> None:
    """Ask for the deliveries of a live alert, whatever goes on."""
    _plan(message)


def _plan(message: Message) -> None:
    data = NotificationPosted.model_validate(message.data)
    creation.plan(notification_id=data.notification_id, cause=message)


def create_deliveries(message: Message) -> None:
    """Make one shard's deliveries once no crowd is in the way."""
    let_pass()
    _create(message)


def create_alerts(message: Message) -> None:
    """Make one shard's deliveries of a live alert, whatever goes on."""
    _create(message)


def _create(message: Message) -> None:
    data = DeliveriesWanted.model_validate(message.data)
    creation.create(
        notification_id=data.notification_id, lane=data.lane, first=data.first, last=data.last, cause=message
    )


def send_deliveries(_message: Message) -> None:
    """Send what is due, this message's deliveries among it."""
    drain_alone()


def drain_alone() -> int:
    """Send what is due, unless another process of this worker is at it; how many attempts were settled.

    A sender makes a connection and an event loop of its own. Where nothing is due, as while all hosts are waited for, a
    look by this process's connection is all it costs.
    """
    if not queries.is_anything_due():
        return 0
    try:
        fcntl.lockf(_sending, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0
    try:
        from .sender import drain  # noqa: PLC0415 - every channel's client: half a second, for the worker that sends

        return drain()
    finally:
        fcntl.lockf(_sending, fcntl.LOCK_UN)


def tell_viewer(message: Message) -> None:
    """Tell a viewer that an endpoint of theirs was switched off."""
    data = EndpointSwitchedOff.model_validate(message.data)
    endings.tell_viewer(
        endpoint_id=data.endpoint_id,
        viewer_id=data.viewer_id,
        label=data.label,
        reason=data.reason,
        version=message.position or 0,
    )
