"""A handler's call while it goes on, and what ends it when it takes too long."""

import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection

from .errors import TimeLimitExceeded
from .progress import Progress
from .streams import Entry


@dataclass(slots=True, kw_only=True)
class Call:
    """What a group's thread is doing with which message; `progress` is a copy of where it stood before.

    A batch is one call, which turns from message to message.
    """

    entry: Entry
    progress: Progress
    is_batch: bool
    limit: float
    deadline: float  # on this machine's monotonic clock
    thread_id: int
    session: Any  # psycopg's connection of that thread

    @classmethod
    def begin(cls, entry: Entry, progress: Progress, *, limit: float, is_batch: bool) -> "Call":
        """The call that this thread is about to make."""
        connection.ensure_connection()
        return cls(
            entry=entry,
            progress=copy(progress),
            is_batch=is_batch,
            limit=limit,
            deadline=time.monotonic() + limit,
            thread_id=threading.get_ident(),
            session=connection.connection,
        )

    def turn_to(self, entry: Entry) -> None:
        """Begin with the batch's next message: the time starts anew."""
        self.entry, self.deadline = entry, time.monotonic() + self.limit

    def is_late(self) -> bool:
        """Whether it takes longer than its group allows."""
        return time.monotonic() > self.deadline

    def cut(self) -> TimeLimitExceeded:
        """Close the thread's session under it, and say where the thread was.

        The server rolls back what the session has begun and frees its locks: at once when it waits for the next
        statement, and within a second (`broker.sessions`) when it runs one. Python cannot end the thread itself.
        """
        error = TimeLimitExceeded(f"The handler took longer than {self.limit:g} s")
        if frame := sys._current_frames().get(self.thread_id):  # noqa: SLF001 - documented, for uses like this one
            error.add_note("It was here:\n" + "".join(traceback.format_stack(frame)))
        with suppress(OSError, psycopg.Error), socket.fromfd(self.session.fileno(), socket.AF_INET, 0) as wire:
            wire.shutdown(socket.SHUT_RDWR)
        return error
