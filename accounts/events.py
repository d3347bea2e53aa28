"""What this app publishes."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from broker.messages import Message
from broker.schemas import register

from .models import Membership


@register("membership.ending", 1)
class MembershipEnding(BaseModel):
    """A membership period ends soon, and none follows it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    membership_id: int
    viewer_id: int
    ends_at: AwareDatetime


def membership_ending(membership: Membership) -> Message:
    """The message that lets a member know in time."""
    if membership.ends_at is None:
        raise ValueError("An open-ended membership does not end")
    data = MembershipEnding(membership_id=membership.pk, viewer_id=membership.user_id, ends_at=membership.ends_at)
    return Message(
        type="membership.ending",
        data=data.model_dump(mode="json"),
        key=f"viewer:{membership.user_id}",
        subject=f"membership:{membership.pk}",
        exchange="accounts",
        routing_key="membership.ending",
    )
