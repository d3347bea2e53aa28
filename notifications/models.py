"""Topics and who follows them; notifications and where each was posted; what has been read.

A foreign key has no index of its own where a composite one begins with it: two to choose from misled the planner.
"""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from .announcements import models as announcements
from .insight import models as insight
from .outbound import models as outbound
from .reminders import models as reminders

__all__ = [
    "KIDS_MAX_MATURITY",
    "STANDING_TOPICS",
    "Epoch",
    "Kind",
    "Notification",
    "Part",
    "Posting",
    "ReadItem",
    "ReadMark",
    "ReadState",
    "Subscription",
    "Topic",
    "announcements",
    "insight",
    "outbound",
    "reminders",
]


class Kind(models.TextChoices):
    """What a notification is about; a subscription says which kinds it wants."""

    PREMIERE = "premiere", "Premieres"
    EPISODE = "episode", "Episodes"
    LIVE_EVENT = "live_event", "Live events"
    ANNOUNCEMENT = "announcement", "Announcements"
    REMINDER = "reminder", "Reminders"
    RECOMMENDATION = "recommendation", "Recommendations"


PRESSING_KINDS = frozenset({Kind.LIVE_EVENT, Kind.REMINDER})  # live alerts: they go before all others
KIDS_MAX_MATURITY = 7  # a kids profile sees what is rated for this age or younger

# Topics that can be chosen before anything was posted to them: the platform's content categories.
STANDING_TOPICS = {
    "category:movies": "Movies",
    "category:tv-shows": "TV Shows",
    "category:sports": "Sports",
    "category:documentaries": "Documentaries",
    "category:kids": "Kids",
}


class Topic(models.Model):
    """What a viewer subscribes to: `category:movies`, `studio:aurora`, `title:the-long-night`; or is given.

    `head` is the seq of its last posting. Posting locks the row, so the sequence has no gaps and a reader who sees
    seq n sees all before it. Up to `tail` it has been forgotten; the first posting after that was made at `oldest_at`.
    """

    name = models.CharField(max_length=160, unique=True)
    label = models.CharField(max_length=160)
    head = models.BigIntegerField(default=0)
    tail = models.BigIntegerField(db_default=0)
    oldest_at = models.DateTimeField(null=True)
    viewer = models.OneToOneField(  # whose own topic it is, with the name `viewer:<id>`
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="own_topic"
    )

    class Meta:
        indexes = [models.Index(fields=["oldest_at"], name="topic_by_age")]

    def __str__(self) -> str:
        return self.label


class Subscription(models.Model):
    """A viewer's interest in a topic over the interval [from_seq, until_seq); open while `until_seq` is null."""

    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="subscriptions", db_index=False)
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="subscriptions", db_index=False)
    kinds = ArrayField(models.CharField(max_length=16, choices=Kind))
    from_seq = models.BigIntegerField()
    until_seq = models.BigIntegerField(null=True)
    muted_until = models.DateTimeField(null=True)  # what is posted before that does not reach the viewer, for good
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "topic"], condition=models.Q(until_seq__isnull=True), name="subscription_open_once"
            )
        ]
        indexes = [
            models.Index(fields=["viewer", "topic"], name="subscription_of_viewer"),
            models.Index(fields=["topic", "viewer"], name="subscription_to_topic"),
        ]


class Notification(models.Model):
    """What a viewer sees, at its newest revision."""

    subject = models.CharField(max_length=160, unique=True)  # what it tells of: "release:<uuid>"
    subject_version = models.PositiveIntegerField()  # of that aggregate; an older event is refused
    revision = models.PositiveIntegerField(default=1)
    kind = models.CharField(max_length=16, choices=Kind)  # each posting repeats it
    title = models.CharField(max_length=200)
    body = models.TextField()
    url = models.CharField(max_length=300)
    image = models.CharField(max_length=300, blank=True)
    studio = models.CharField(max_length=120, blank=True)
    category = models.CharField(max_length=32, blank=True)
    maturity = models.PositiveSmallIntegerField(default=0)
    languages = ArrayField(models.CharField(max_length=8), null=True)  # for who understands one of them; null: all
    windows = models.JSONField(null=True)  # see windows.py
    regions = ArrayField(models.CharField(max_length=2), null=True)  # in which a window is open; null: everywhere
    turns_at = models.DateTimeField(null=True)  # when the next window opens or closes
    audience_revision = models.PositiveIntegerField(db_default=1)  # the last that changed for whom it is
    recalled = models.BooleanField(default=False)
    published_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["turns_at"], condition=models.Q(turns_at__isnull=False), name="notification_turning"),
            models.Index(fields=["published_at"], name="notification_by_age"),
        ]
        permissions = [("explain_notification", "Can see why a viewer did or did not get a notification")]

    def __str__(self) -> str:
        return self.title


class Part(models.Model):
    """An episode's part in a card: several that are published close together share one, see drops.py."""

    subject = models.CharField(max_length=160, primary_key=True)  # "release:<uuid>"
    card = models.CharField(max_length=160, db_index=True)  # the notification's subject: that of its first episode
    title = models.CharField(max_length=80)  # slug
    version = models.PositiveIntegerField()
    recalled = models.BooleanField(default=False)
    published_at = models.DateTimeField()
    data = models.JSONField()  # of the event that told of it last

    class Meta:
        indexes = [models.Index(fields=["title", "published_at"], name="part_of_title")]


class Posting(models.Model):
    """(topic, seq) → (notification, revision): a first post, a change, a recall, a window's turn, each is one."""

    pk = models.CompositePrimaryKey("topic_id", "seq")
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="postings", db_index=False)
    seq = models.BigIntegerField()
    notification = models.ForeignKey(Notification, models.CASCADE, related_name="postings", db_index=False)
    revision = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind)  # the notification's, so that an index can be asked for it
    posted_at = models.DateTimeField()  # the database's clock under the topics' locks: grows with seq
    regions = ArrayField(models.CharField(max_length=2), null=True)  # for which it is news; null: for all

    class Meta:
        indexes = [
            models.Index(fields=["notification", "revision"], name="posting_of_notification"),
            models.Index(
                fields=["topic", "kind", "notification"],
                include=["seq", "revision", "posted_at", "regions"],
                name="posting_newest_of_kind",
            ),
            models.Index(
                fields=["topic", "kind", "seq"],
                include=["notification", "revision", "posted_at", "regions"],
                name="posting_of_kind",
            ),
        ]


class ReadMark(models.Model):
    """Up to which `seq` of a topic a viewer has read."""

    pk = models.CompositePrimaryKey("viewer_id", "topic_id")
    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    topic = models.ForeignKey(Topic, models.CASCADE)
    seq = models.BigIntegerField()


class ReadItem(models.Model):
    """What a viewer said of a single notification at a revision, whatever the marks say; a newer one is news again.

    A dismissed one is in no inbox and counts as read; `is_read` keeps what it was, for when that is taken back.
    """

    pk = models.CompositePrimaryKey("viewer_id", "notification_id")
    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    notification = models.ForeignKey(Notification, models.CASCADE)
    revision = models.PositiveIntegerField()
    is_read = models.BooleanField(db_default=True)
    is_dismissed = models.BooleanField(db_default=False)

    class Meta:
        indexes = [models.Index(fields=["viewer"], condition=models.Q(is_read=False), name="readitem_unread")]


class ReadState(models.Model):
    """`version` grows with each read of a viewer, so that every tab can tell that it fell behind."""

    viewer = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True)
    version = models.BigIntegerField(default=0)


class Epoch(models.Model):
    """The life of this database's sequences: one row; a restored database rotates it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    value = models.UUIDField()
