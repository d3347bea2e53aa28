"""The baselines for making deliveries: Django's `bulk_create`, at its best, and its `create`, row by row."""

import gc
import os
import time
from collections.abc import Iterator
from itertools import count
from typing import ClassVar

from django.db import connection, models, transaction

from notifications.outbound.models import Channel, Delivery

BATCH, ROWS = 5_000, 50_000
ROWS_ONE_BY_ONE = 5_000
LANE = 101  # no worker looks at it
# Of notifications that there are not, behind all that there are: so an index grows at its end. Each process has others.
_numbers = count(2**40 + 1000 * os.getpid())


class BareDelivery(models.Model):
    """A delivery with the columns that it cannot do without, none of them an array.

    So Django hands PostgreSQL an array a column, which is several times as fast as a list of values a row. It names
    one column as its key: with a composite one Django takes an eighth longer.
    """

    notification_id = models.BigIntegerField(primary_key=True)
    viewer_id = models.BigIntegerField()
    channel = models.CharField(max_length=16)
    endpoint_id = models.BigIntegerField()
    lane = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=16)
    attempts = models.PositiveSmallIntegerField()
    last_error = models.CharField(max_length=300)
    objects: ClassVar[models.Manager["BareDelivery"]] = models.Manager()

    class Meta:
        app_label = "notifications"
        managed = False
        db_table = "notifications_delivery"

    def __str__(self) -> str:
        return f"{self.notification_id} to {self.viewer_id}"


def rows_per_second() -> float:
    """Make `ROWS` of them, in the order of the index."""
    rows = list(_rows(ROWS))  # what they are made from is there
    gc.disable()  # it would look through all of them again and again, and find nothing
    try:
        started = time.perf_counter()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")  # ours does not wait for the disk either
            BareDelivery.objects.bulk_create(rows, batch_size=BATCH)
        return ROWS / (time.perf_counter() - started)
    finally:
        gc.enable()


def rows_per_second_one_by_one() -> float:
    """Make `ROWS_ONE_BY_ONE` of them, each by a statement and in a transaction of its own."""
    rows = list(_rows(ROWS_ONE_BY_ONE))
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        started = time.perf_counter()
        for row in rows:
            row.save(force_insert=True)
        seconds = time.perf_counter() - started
        cursor.execute("RESET synchronous_commit")
    return ROWS_ONE_BY_ONE / seconds


def _rows(number: int) -> Iterator[BareDelivery]:
    notification = next(_numbers)
    for viewer in range(number):
        yield BareDelivery(
            notification_id=notification,
            viewer_id=viewer,
            channel=Channel.MAIL,
            endpoint_id=viewer,
            lane=LANE,
            state=Delivery.State.OPEN,
            attempts=0,
            last_error="",
        )
