"""Studios and what they release. `Release` is the projection of its events; the events are the truth."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Category(models.TextChoices):
    """The five content categories of the platform: what viewers subscribe to first."""

    MOVIES = "movies", "Movies"
    TV_SHOWS = "tv-shows", "TV Shows"
    SPORTS = "sports", "Sports"
    DOCUMENTARIES = "documentaries", "Documentaries"
    KIDS = "kids", "Kids"


class TitleType(models.TextChoices):
    """What a title is."""

    FILM = "film", "Film"
    SERIES = "series", "Series"
    DOCUMENTARY = "documentary", "Documentary"
    SPORT = "sport", "Sport"


class ReleaseKind(models.TextChoices):
    """What a release brings."""

    PREMIERE = "premiere", "Premiere"
    EPISODE = "episode", "Episode"
    LIVE_EVENT = "live_event", "Live event"


class Maturity(models.IntegerChoices):
    """From which age."""

    ALL = 0, "All"
    SEVEN = 7, "7+"
    TWELVE = 12, "12+"
    SIXTEEN = 16, "16+"
    EIGHTEEN = 18, "18+"


class Studio(models.Model):
    """A content creator: a publisher, in a broker's words."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    tagline = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class StudioMember(models.Model):
    """A user's role in a studio."""

    class Role(models.TextChoices):
        """Owners also manage the team; publishers publish; editors draft and upload."""

        OWNER = "owner", "Owner"
        PUBLISHER = "publisher", "Publisher"
        EDITOR = "editor", "Editor"

    studio = models.ForeignKey(Studio, models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="studio_memberships")
    role = models.CharField(max_length=16, choices=Role)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["studio", "user"], name="studio_member_once")]


class Title(models.Model):
    """A film, a series, a documentary or a sport: what releases belong to."""

    studio = models.ForeignKey(Studio, models.PROTECT, related_name="titles")
    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=160)
    type = models.CharField(max_length=16, choices=TitleType)
    category = models.CharField(max_length=16, choices=Category)
    synopsis = models.TextField(blank=True, max_length=2000)
    maturity = models.PositiveSmallIntegerField(choices=Maturity, default=Maturity.ALL)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    poster = models.ImageField(upload_to="posters/", blank=True)
    backdrop = models.ImageField(upload_to="backdrops/", blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["category", "-created_at"], name="title_in_category")]

    def __str__(self) -> str:
        return self.name


class Asset(models.Model):
    """An uploaded video and what the encoder made of it."""

    class State(models.TextChoices):
        """uploaded → encoding → ready or failed."""

        UPLOADED = "uploaded", "Waiting for the encoder"
        ENCODING = "encoding", "Encoding"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    state = models.CharField(max_length=16, choices=State, default=State.UPLOADED)
    source = models.FileField(upload_to="uploads/")
    source_name = models.CharField(max_length=255)
    percent = models.PositiveSmallIntegerField(default=0)
    rung = models.CharField(max_length=32, blank=True)  # what is being made right now: "720p", "thumbnails"
    error = models.TextField(blank=True)
    duration = models.FloatField(null=True)  # seconds
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    mp4 = models.FileField(blank=True)
    hls = models.FileField(blank=True)  # the master playlist
    poster = models.ImageField(blank=True)
    thumbnails = models.JSONField(default=list)  # paths below MEDIA_ROOT
    created_at = models.DateTimeField(db_default=Now())


class Listing(models.Model):
    """A release in the programme guide, as the newest message of the stream `listings` told of it."""

    release_id = models.UUIDField(primary_key=True)
    version = models.PositiveIntegerField()
    category = models.CharField(max_length=16, choices=Category)
    available_from = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    is_withdrawn = models.BooleanField(default=False)  # kept, so that an older message cannot bring it back
    facts = models.JSONField()

    class Meta:
        indexes = [
            models.Index(
                fields=["category", "-available_from"], condition=models.Q(is_withdrawn=False), name="listing_in_guide"
            )
        ]


class ReceivedEvent(models.Model):
    """An event that a studio's own system sent, and what became of it; its id is that of the message made of it."""

    class State(models.TextChoices):
        """accepted → done or refused."""

        ACCEPTED = "accepted", "Accepted"
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"

    id = models.UUIDField(primary_key=True)
    studio = models.ForeignKey(Studio, models.CASCADE, related_name="received_events")
    source = models.CharField(max_length=255)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=128)
    digest = models.CharField(max_length=64)  # of type, version and data: the same id must mean the same event
    state = models.CharField(max_length=16, choices=State, default=State.ACCEPTED)
    release_id = models.UUIDField(null=True)
    problem = models.JSONField(null=True)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["studio", "source", "event_id"], name="received_event_once"),
        ]
        indexes = [
            models.Index(fields=["studio", "-received_at"], name="received_event_newest"),
            models.Index(fields=["received_at"], name="received_event_age"),
        ]


class ReleaseReference(models.Model):
    """What a studio's own system calls a release."""

    studio = models.ForeignKey(Studio, models.CASCADE, related_name="references")
    reference = models.CharField(max_length=120)
    release_id = models.UUIDField(unique=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["studio", "reference"], name="release_reference_once")]


class Release(models.Model):
    """One release of a title, as its events left it at `version`."""

    class State(models.TextChoices):
        """drafted → (scheduled →) published → recalled."""

        DRAFT = "draft", "Draft"
        SCHEDULED = "scheduled", "Scheduled"
        PUBLISHED = "published", "Published"
        RECALLED = "recalled", "Recalled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    title = models.ForeignKey(Title, models.PROTECT, related_name="releases")
    kind = models.CharField(max_length=16, choices=ReleaseKind)
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    version = models.PositiveIntegerField(default=0)
    headline = models.CharField(max_length=160)
    synopsis = models.TextField(blank=True, max_length=2000)
    season = models.PositiveSmallIntegerField(null=True, blank=True)
    episode = models.PositiveSmallIntegerField(null=True, blank=True)
    # The newest upload, and the newest one that is encoded: viewers keep the second while the first is on its way.
    asset = models.OneToOneField(Asset, models.SET_NULL, null=True, blank=True, related_name="release")
    playable = models.OneToOneField(Asset, models.SET_NULL, null=True, blank=True, related_name="playable_release")
    starts_at = models.DateTimeField(null=True, blank=True)  # a live event's
    expires_at = models.DateTimeField(null=True, blank=True)
    languages = ArrayField(models.CharField(max_length=8), null=True, blank=True)  # null: not said
    windows = models.JSONField(null=True, blank=True)  # [{region, opens_at, closes_at}]; null: everywhere
    scheduled_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["title", "-published_at"], name="release_of_title"),
            models.Index(fields=["scheduled_at"], condition=models.Q(state="scheduled"), name="release_due"),
        ]

    def __str__(self) -> str:
        return self.headline
