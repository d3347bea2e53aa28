"""What is told to one viewer alone, on their own topic: handlers of the work queues."""

from datetime import datetime, timedelta

from accounts.queries import ending_memberships
from broker.messages import Message

from .commands import post_notification
from .given_topics import OWN_LABEL, own_topic
from .models import Kind

KEPT = timedelta(days=30)  # after the end: whoever comes back then finds out why nothing came


def on_membership_ending(message: Message) -> None:
    """Tell a member when their membership ends, unless another period follows by now.

    What is posted to a viewer's own topic needs no membership, so it is there after the end, too. A second time is
    passed over.
    """
    data = message.data
    ends_at = datetime.fromisoformat(data["ends_at"])
    if not ending_memberships(until=ends_at).filter(pk=data["membership_id"], ends_at=ends_at).exists():
        return
    post_notification(
        subject=f"membership:{data['membership_id']}:ending",
        subject_version=1,
        kind=Kind.ANNOUNCEMENT,  # not a live alert: it keeps in quiet hours, and fits a digest
        topics={own_topic(data["viewer_id"]): OWN_LABEL},
        title=f"Your membership ends on {ends_at:%-d %B}",
        body=f"It ends on {ends_at:%-d %B %Y at %H:%M} UTC. What you follow stays, but nothing new arrives after that.",
        url="/accounts/profile/",
        published_at=message.time,
        expires_at=ends_at + KEPT,
        cause=message,
    )
