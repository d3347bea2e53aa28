"""The broker's tables. Every engine but the stream's own log stands on them."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Cast, Now

# The number of the current transaction; larger than that of every transaction that began to write earlier.
CURRENT_TRANSACTION = Cast(
    Cast(models.Func(function="pg_current_xact_id"), models.TextField()),  # xid8 has no cast to bigint of its own
    models.BigIntegerField(),
)


class OutboxMessage(models.Model):
    """A message that a committed transaction published, until (and after) the relay has routed it.

    Draws its id under an advisory lock on the key, so ids of one key are in commit order.
    """

    message_id = models.UUIDField(unique=True)
    type = models.CharField(max_length=128)
    key = models.CharField(max_length=255)
    exchange = models.CharField(max_length=128)
    routing_key = models.CharField(max_length=255)
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    position = models.BigIntegerField(null=True)
    relayed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["position", "id"], condition=models.Q(relayed_at__isnull=True), name="outbox_waiting"),
            BrinIndex(fields=["relayed_at"], name="outbox_relayed_at"),
        ]


class Lease(models.Model):
    """A named right that one process holds at a time, fenced by its generation (the relay's, for one).

    `counter` is the last number given out under it: for the relay, the last position.
    """

    name = models.CharField(max_length=128, primary_key=True)
    owner = models.CharField(max_length=128, default="")
    generation = models.BigIntegerField(default=0)
    counter = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(db_default=Now())
    paused_until = models.DateTimeField(null=True)  # nothing new is begun before; see `broker/moving.py`


class StreamPartition(models.Model):
    """The head of one partition of a stream on the PostgreSQL engine."""

    pk = models.CompositePrimaryKey("stream", "partition")
    stream = models.CharField(max_length=128)
    partition = models.PositiveIntegerField()
    next_offset = models.BigIntegerField(default=0)
    first_offset = models.BigIntegerField(default=0)


class StreamMessage(models.Model):
    """One entry of a stream's log on the PostgreSQL engine."""

    pk = models.CompositePrimaryKey("stream", "partition", "offset")
    stream = models.CharField(max_length=128)
    partition = models.PositiveIntegerField()
    offset = models.BigIntegerField()
    position = models.BigIntegerField()
    body = models.JSONField()
    appended_at = models.DateTimeField(db_default=Now())


class LogState(models.Model):
    """What the relay knows of a log that stands outside of PostgreSQL: where it ended, and the last position in it."""

    pk = models.CompositePrimaryKey("stream", "partition")
    stream = models.CharField(max_length=128)
    partition = models.PositiveIntegerField()
    end = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)


class GroupMember(models.Model):
    """A live process of a consumer group."""

    pk = models.CompositePrimaryKey("group", "member")
    group = models.CharField(max_length=128)
    member = models.CharField(max_length=128)
    seen_at = models.DateTimeField(db_default=Now())


class GroupPartition(models.Model):
    """Where a consumer group stands in one partition, and which member may move it.

    Every commit of progress says `WHERE generation = mine`, so a member that lost its lease changes nothing.
    """

    pk = models.CompositePrimaryKey("group", "stream", "partition")
    group = models.CharField(max_length=128)
    stream = models.CharField(max_length=128)
    partition = models.PositiveIntegerField()
    engine = models.CharField(max_length=32, default="postgres")  # in which `next_offset` counts
    owner = models.CharField(max_length=128, default="")
    generation = models.BigIntegerField(default=0)
    lease_expires_at = models.DateTimeField(db_default=Now())
    next_offset = models.BigIntegerField(default=0)
    watermark = models.BigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    last_error = models.TextField(default="")
    expired_count = models.BigIntegerField(default=0)
    paused = models.BooleanField(default=False)
    singly_until = models.BigIntegerField(default=0)  # before this offset, no batches: a handler hung in one

    class Meta:
        permissions = [("operate_group", "Can pause, resume, reset and replay consumer groups")]


class WorkItem(models.Model):
    """One message in a work queue. The row is the truth; the Celery message with its id only wakes a worker."""

    class State(models.TextChoices):
        """ready → running → done, or back to ready after a failure, or dead; or expired before anybody ran it."""

        READY = "ready"
        RUNNING = "running"
        DONE = "done"
        DEAD = "dead"
        EXPIRED = "expired"

    queue = models.CharField(max_length=128)
    position = models.BigIntegerField()
    body = models.JSONField()
    state = models.CharField(max_length=16, choices=State, default=State.READY)
    created_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    lease_token = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    woken_at = models.DateTimeField(null=True)  # when a worker was last sent its id
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    last_error = models.TextField(default="")
    turn = models.BigIntegerField(default=0)  # when it is to be tried first, among those of its queue

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "position"], name="work_item_once")]
        indexes = [
            models.Index(
                fields=["queue", "next_attempt_at"],
                condition=models.Q(state__in=["ready", "running"]),
                name="work_item_due",
            ),
            models.Index(
                fields=["queue", "turn", "id"], condition=models.Q(state="ready", attempts=0), name="work_item_turn"
            ),
            models.Index(fields=["finished_at"], name="work_item_finished"),
        ]


class WorkTurn(models.Model):
    """The last turn that was given to one sharer of a queue: a value of the header that the queue is fair by."""

    pk = models.CompositePrimaryKey("queue", "sharer")
    queue = models.CharField(max_length=128)
    sharer = models.TextField()
    last_turn = models.BigIntegerField()


class PausedQueue(models.Model):
    """A work queue whose items nobody may claim until an operator resumes it."""

    queue = models.CharField(max_length=128, primary_key=True)
    paused_at = models.DateTimeField(db_default=Now())


class DeadLetter(models.Model):
    """A message that could not be routed, handled or delivered, kept with the reason until somebody decides."""

    class Reason(models.TextChoices):
        """Why it is here."""

        UNROUTABLE = "unroutable"
        INVALID = "invalid"
        HANDLER_FAILED = "handler_failed"
        EXPIRED = "expired"
        DELIVERY_FAILED = "delivery_failed"

    class State(models.TextChoices):
        """What was decided. What failed after so many replays is parked: only a forced replay takes it up again."""

        WAITING = "waiting"
        PARKED = "parked"
        REPLAYED = "replayed"
        DISCARDED = "discarded"

    reason = models.CharField(max_length=32, choices=Reason)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    message_id = models.UUIDField()
    position = models.BigIntegerField(null=True)
    body = models.JSONField()
    exchange = models.CharField(max_length=128, default="")
    routing_key = models.CharField(max_length=255, default="")
    key = models.CharField(max_length=255, default="")
    origin = models.CharField(max_length=255)  # where it failed: exchange:catalog, group:feed, queue:encode
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(default="")
    trace = models.TextField(default="")
    replays = models.PositiveIntegerField(default=0)  # of this message to where it failed, earlier letters included
    created_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=255, default="")

    class Meta:
        constraints = [
            # A step that runs twice leaves one dead letter.
            models.UniqueConstraint(
                fields=["origin", "position"],
                condition=models.Q(state__in=["waiting", "parked"]),
                name="dead_letter_once",
            )
        ]
        indexes = [
            models.Index(fields=["state", "-created_at"], name="dead_letter_newest"),
            models.Index(fields=["message_id"], name="dead_letter_message"),
        ]
        permissions = [("decide_deadletter", "Can replay, edit and discard dead letters")]


class OperatorAction(models.Model):
    """What an operator decided: never changed, never pruned."""

    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=255)
    verb = models.CharField(max_length=32)
    target = models.CharField(max_length=255)  # group:feed, dead_letter:7
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["target", "-id"], name="operator_action_target")]


class AvroSchema(models.Model):
    """A schema with which a stored message was written in Avro, by its fingerprint: needed as long as that is."""

    fingerprint = models.CharField(max_length=16, primary_key=True)  # CRC-64-AVRO, as hexadecimal digits
    type = models.CharField(max_length=128)
    version = models.PositiveIntegerField()
    definition = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())


class StoredEvent(models.Model):
    """One event of an aggregate, as it happened; never changed.

    (`transaction`, `id`) is the order of all events: see `broker/event_order.py`.
    """

    aggregate = models.CharField(max_length=128)
    version = models.PositiveIntegerField()
    type = models.CharField(max_length=128)
    data = models.JSONField()
    metadata = models.JSONField(default=dict)
    recorded_at = models.DateTimeField(db_default=Now())
    transaction = models.BigIntegerField(db_default=CURRENT_TRANSACTION)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["aggregate", "version"], name="event_version_once")]
        indexes = [models.Index(fields=["transaction", "id"], name="event_order")]
