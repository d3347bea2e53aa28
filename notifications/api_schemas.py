"""What the viewer's side of the HTTP API takes and gives."""

from datetime import datetime

from ninja import Schema
from pydantic import AwareDatetime

from accounts.problems import Problem

from .live.protocol import Ids, Positions
from .queries import States


class UnknownTopic(Problem):
    """The topic's name is not one that can be followed."""

    status = 422
    slug = "invalid-topic"
    title = "There can be no such topic"


class TooManyFollowed(Problem):
    """So many topics are followed already that there is no room for another."""

    status = 409
    slug = "too-many-topics"
    title = "You follow as many topics as one can"


class UnknownKinds(Problem):
    """The kinds wanted are none, or not all known."""

    status = 422
    slug = "invalid-kinds"
    title = "There are no such kinds"


class UnusableMute(Problem):
    """A topic is muted while it is followed, until a moment in the future."""

    status = 422
    slug = "invalid-mute"
    title = "The topic cannot be muted so"


class UnknownNotification(Problem):
    """You have no such notification, or do not see it any more."""

    status = 404
    slug = "unknown-notification"
    title = "You have no such notification"


class ReasonOut(Schema):
    """A topic by which a notification reached you: one that you follow since then, or one that you are given."""

    topic: str
    label: str
    since: datetime
    is_given: bool
    posted_at: datetime


class TopicOut(Schema):
    """A topic, and whether you follow it."""

    name: str
    label: str
    subscribed: bool
    kinds: list[str]
    muted_until: datetime | None


class TopicGroupOut(Schema):
    """Topics of one sort."""

    prefix: str
    label: str
    topics: list[TopicOut]


class SubscriptionOut(Schema):
    """A topic that you follow, and the kinds that you want of it."""

    topic: str
    kinds: list[str]
    muted_until: datetime | None


class MuteIn(Schema):
    """Until when nothing of a topic is to reach you; it stays hidden afterwards, too."""

    until: AwareDatetime


class KindsIn(Schema):
    """Kinds that you want; all when left out."""

    kinds: list[str] | None = None


class EntryOut(Schema):
    """A notification as you see it now."""

    id: int
    revision: int
    kind: str
    title: str
    body: str
    url: str
    image: str
    studio: str
    category: str
    recalled: bool
    published_at: datetime
    expires_at: datetime | None
    positions: dict[str, int]
    read: bool


class InboxOut(Schema):
    """A page of the inbox; `unread` counts up to 100."""

    entries: list[EntryOut]
    next_before: int | None
    epoch: str
    positions: dict[str, int]
    unread: int


class ReadIn(Schema):
    """What was read: single notifications, or topics up to a position."""

    ids: Ids = []
    positions: Positions = {}


class IdsIn(Schema):
    """Single notifications."""

    ids: Ids


class ReadOut(Schema):
    """What that changed, and how many unread ones are left.

    `states` has the notifications under what you said of them, each with its revision; `ids` are those that are read.
    """

    ids: list[int]
    states: States
    positions: dict[str, int]
    unread: int
