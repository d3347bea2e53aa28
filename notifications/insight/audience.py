"""Whom a notification was for: counted once a revision, by one statement."""

from django.db import connection

from broker.messages import Message
from notifications import sql
from notifications.crowds import let_pass
from notifications.events import NotificationPosted
from notifications.models import KIDS_MAX_MATURITY


def measure_audience(message: Message) -> None:
    """Count the followers of what was posted, and those who find it in their inboxes; a crowd goes first."""
    let_pass()
    data = NotificationPosted.model_validate(message.data)
    with connection.cursor() as cursor:
        cursor.execute(
            sql.load("measure_audience"),
            {"notification": data.notification_id, "kids_max_maturity": KIDS_MAX_MATURITY},
        )
