"""What the API tells of how far a release came."""

from datetime import datetime

from ninja import Schema


class ReachOut(Schema):
    """Viewers, each counted once, whatever their tabs and devices. Whoever is counted at one stage is at all before.

    `routed`: follow one of its topics for its kind. `posted`: find it in the inbox. `pushed`: it was handed to a client
    of theirs. `seen`: a client displayed it. `opened`: they followed its link. The first two are exact; the others are
    estimates with a standard error of 0.81 %, a few seconds old.
    """

    routed: int
    posted: int
    pushed: int
    seen: int
    opened: int


class ChannelOut(Schema):
    """Deliveries by what became of them; `suppressed` are those beyond a viewer's daily cap.

    `failed` counts attempts, those included that a later one made up for.
    """

    waiting: int
    retrying: int
    sent: int
    dead: int
    expired: int
    cancelled: int
    suppressed: int
    failed: int


class FailureOut(Schema):
    """Something that did not get through: where, why, how often, and whether it was given up."""

    where: str
    reason: str
    count: int
    is_over: bool


class InsightOut(Schema):
    """How far a release came. Before it is posted, `notification_id` and `posted_at` are null and all counts 0."""

    notification_id: int | None
    title: str
    published_at: datetime | None
    posted_at: datetime | None
    topics: int
    reach: ReachOut
    channels: dict[str, ChannelOut]
    failures: list[FailureOut]
