"""Where viewers want to be told, and what is on its way to them."""

from datetime import time

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from .sealing import SealedField


class Channel(models.TextChoices):
    """The ways out of the platform."""

    MAIL = "mail", "E-mail"
    WEB_PUSH = "web_push", "Browser push"
    WEBHOOK = "webhook", "Webhook"


class Lane(models.IntegerChoices):
    """What goes first: everything due in a lower lane is claimed before anything in a higher one."""

    LIVE = 1, "Live alerts"
    RELEASE = 2, "Releases"
    DIGEST = 3, "Digests and recommendations"


class Endpoint(models.Model):
    """One place at which a viewer wants to be told: their mailbox, one of their browsers, a webhook of theirs.

    Off while `disabled_at` is set; `disabled_reason` is empty when the viewer did it.
    """

    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="endpoints", db_index=False)
    channel = models.CharField(max_length=16, choices=Channel)
    # A URL; empty for mail, which goes to whatever address the account has by then.
    address = models.CharField(max_length=1000, blank=True)
    host = models.CharField(max_length=300)  # what breaks and recovers as one, by which circuits are kept
    label = models.CharField(max_length=120, blank=True)
    push_key = models.CharField(max_length=120, blank=True)  # the browser's public key, p256dh
    push_auth = models.CharField(max_length=60, blank=True)
    secret = SealedField(max_length=255, blank=True)
    previous_secret = SealedField(max_length=255, blank=True)
    previous_until = models.DateTimeField(null=True)  # until then what is sent is signed with both
    created_at = models.DateTimeField(db_default=Now())
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["viewer", "channel", "address"], name="endpoint_once")]
        # Whoever signs in at a browser takes it over from whom it belonged to.
        indexes = [models.Index(fields=["address"], condition=models.Q(channel="web_push"), name="endpoint_browser")]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.label or self.address}".strip()

    @property
    def on(self) -> bool:
        """Whether what is for it is sent there."""
        return self.disabled_at is None


class Delivery(models.Model):
    """One notification to one viewer on one outbound channel, at one endpoint.

    Made by the million in one statement, so it has no index but those that it is found by, and no constraint that
    looks at another table. While a sender holds it, `next_attempt_at` is when its lease ends: a sender that died and
    a retry that is due look the same to the claim.
    """

    class State(models.TextChoices):
        """open → sent; or dead after the last attempt, expired, or cancelled before it left.

        held → open or bundled, when its digest is due: one delivery of a digest is open and carries the others, which
        end as it does. Suppressed is what its viewer's daily cap left no room for.
        """

        OPEN = "open"
        HELD = "held"
        BUNDLED = "bundled"
        SENT = "sent"
        DEAD = "dead"
        EXPIRED = "expired"
        CANCELLED = "cancelled"
        SUPPRESSED = "suppressed"

    # (An endpoint has one channel, so that is no part of the key: each part is paid for with every delivery made.)
    pk = models.CompositePrimaryKey("notification_id", "viewer_id", "endpoint_id")
    notification_id = models.BigIntegerField()
    viewer_id = models.BigIntegerField()
    channel = models.CharField(max_length=16, choices=Channel)
    endpoint_id = models.BigIntegerField()
    lane = models.PositiveSmallIntegerField(choices=Lane)
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    lease_token = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, default="")
    waits = models.BooleanField(db_default=False)  # put off when it was made: asked again whether it is wanted
    unless_seen = models.BooleanField(db_default=False)
    capped_on = models.DateField(null=True)  # the viewer's day to whose cap it counts, where there is one
    bundle = ArrayField(models.BigIntegerField(), null=True)  # the notifications of a digest that this one carries

    class Meta:
        indexes = [
            models.Index(fields=["lane", "next_attempt_at"], condition=models.Q(state="open"), name="delivery_due"),
            models.Index(
                fields=["next_attempt_at", "endpoint_id"], condition=models.Q(state="held"), name="delivery_held"
            ),
            models.Index(
                fields=["viewer_id", "channel", "capped_on"],
                condition=models.Q(capped_on__isnull=False),
                name="delivery_capped",
            ),
            models.Index(
                fields=["finished_at"], condition=models.Q(finished_at__isnull=False), name="delivery_finished"
            ),
        ]


class Digest(models.TextChoices):
    """How mails are gathered. Live alerts never are: they would come too late."""

    NEVER = "never", "Each at once"
    HOURLY = "hourly", "Every hour"
    DAILY = "daily", "Once a day"


class Preference(models.Model):
    """What a viewer wants of the channels. Whoever never chose has no row, and is told everything at once everywhere.

    Times of the day are those of the viewer's time zone.
    """

    viewer = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True)
    off = ArrayField(models.CharField(max_length=40), default=list)  # cells of the matrix, as `cell_of` writes them
    topics = models.JSONField(default=dict)  # {topic: [channel]}, which count there instead of the matrix
    quiet_from = models.TimeField(null=True)
    quiet_until = models.TimeField(null=True)
    digest = models.CharField(max_length=8, choices=Digest, default=Digest.NEVER)
    digest_at = models.TimeField(default=time(8))  # of the daily one
    caps = models.JSONField(default=dict)  # {channel: notifications a day}
    escalate_after = models.PositiveSmallIntegerField(null=True)  # minutes for which the site alone has the word

    class Meta:
        indexes = [models.Index(fields=["viewer"], condition=~models.Q(caps={}), name="preference_capped")]


def cell_of(kind: str, channel: str) -> str:
    """A cell of the matrix, as the database holds it."""
    return f"{kind}:{channel}"


class Circuit(models.Model):
    """How a host has been doing. While `retry_at` is set it is open: the claim passes over what would go there.

    When `retry_at` has come, one delivery goes through as a probe.
    """

    host = models.CharField(max_length=300, primary_key=True)
    failures = models.PositiveIntegerField(default=0)  # since the last success
    retry_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, default="")
