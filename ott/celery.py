"""Celery: it wakes workers, and keeps time. The truth about work is in PostgreSQL, in `broker.WorkItem`."""

import os
import warnings
from typing import Any

from celery import Celery, beat
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import heartbeat_sent, task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ott.settings")

# Celery warns of root because of pickle, which we do not accept; the embedded servers drop it by themselves.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
# What runs when the connection is lost goes on: its lease is in PostgreSQL, and the message only woke it.
warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)

app = Celery("ott")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A new connection to PostgreSQL costs ten milliseconds; a worker keeps its own, and looks at it before each task.
app.conf.update({"CELERY_DB_REUSE_MAX": 1_000_000})


@task_prerun.connect
def _drop_broken_connection(**_: Any) -> None:
    from django.db import close_old_connections, connection  # noqa: PLC0415 - as below

    if not connection.in_atomic_block:  # that of a test that calls the task by hand
        close_old_connections()


@heartbeat_sent.connect
def _worker_is_alive(**_: Any) -> None:
    from .heartbeats import mark_alive  # noqa: PLC0415 - Django is not set up when this module is imported

    mark_alive()


class Scheduler(beat.Scheduler):
    """Beat in memory (intervals need no file that a kill could spoil), which says that it is alive."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; seconds until the next look."""
        from .heartbeats import mark_alive  # noqa: PLC0415 - as above

        mark_alive()
        return float(super().tick(*args, **kwargs))
