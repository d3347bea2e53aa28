"""What is kept of how far notifications came: a row a stage, never a row a viewer."""

from django.db import models


class Stage(models.TextChoices):
    """How far a notification came with a viewer. Whoever is counted at one stage is counted at all before it."""

    ROUTED = "routed", "Routed"  # follows one of its topics, for its kind
    POSTED = "posted", "Posted"  # finds it in the inbox: a member then, and old enough
    PUSHED = "pushed", "Pushed"  # it was handed to a client of theirs
    SEEN = "seen", "Seen"  # a client of theirs displayed it
    OPENED = "opened", "Opened"  # they followed its link


class Reach(models.Model):
    """How many viewers were counted at a stage; `sketch` is Redis' own HyperLogLog, where they were counted by one."""

    pk = models.CompositePrimaryKey("notification_id", "stage")
    notification = models.ForeignKey("notifications.Notification", models.CASCADE, related_name="reach", db_index=False)
    stage = models.CharField(max_length=8, choices=Stage)
    viewers = models.BigIntegerField()
    sketch = models.BinaryField(null=True)

    class Meta:
        verbose_name_plural = "reach"


class PastDeliveries(models.Model):
    """Deliveries of a notification that ended so long ago that their rows were pruned: how many, by how they ended."""

    pk = models.CompositePrimaryKey("notification_id", "channel", "state")
    notification_id = models.BigIntegerField()
    channel = models.CharField(max_length=16)
    state = models.CharField(max_length=16)
    deliveries = models.BigIntegerField()
    failures = models.BigIntegerField()  # attempts that failed, whatever came of them in the end

    class Meta:
        verbose_name_plural = "past deliveries"
