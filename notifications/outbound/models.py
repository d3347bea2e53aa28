"""Where viewers want to be told, and what is on its way to them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


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
    secret = models.CharField(max_length=80, blank=True)
    previous_secret = models.CharField(max_length=80, blank=True)
    previous_until = models.DateTimeField(null=True)  # until then what is sent is signed with both
    created_at = models.DateTimeField(db_default=Now())
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["viewer", "channel", "address"], name="endpoint_once")]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.label or self.address}".strip()


class Delivery(models.Model):
    """One notification to one viewer on one outbound channel, at one endpoint.

    Made by the million in one statement, so it has no index but those that it is found by, and no constraint that
    looks at another table. While a sender holds it, `next_attempt_at` is when its lease ends: a sender that died and
    a retry that is due look the same to the claim.
    """

    class State(models.TextChoices):
        """open → sent; or dead after the last attempt, expired, or cancelled before it left."""

        OPEN = "open"
        SENT = "sent"
        DEAD = "dead"
        EXPIRED = "expired"
        CANCELLED = "cancelled"

    KEY: ClassVar = ("notification_id", "viewer_id", "channel", "endpoint_id")

    pk = models.CompositePrimaryKey("notification_id", "viewer_id", "channel", "endpoint_id")
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

    class Meta:
        indexes = [
            models.Index(fields=["lane", "next_attempt_at"], condition=models.Q(state="open"), name="delivery_due"),
            models.Index(
                fields=["finished_at"], condition=models.Q(finished_at__isnull=False), name="delivery_finished"
            ),
        ]


class Circuit(models.Model):
    """How a host has been doing. While `retry_at` is set it is open: the claim passes over what would go there.

    When `retry_at` has come, one delivery goes through as a probe.
    """

    host = models.CharField(max_length=300, primary_key=True)
    failures = models.PositiveIntegerField(default=0)  # since the last success
    retry_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, default="")
