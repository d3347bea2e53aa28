"""Consumer groups: each message of a stream, in order per partition, to the group's handler for its type."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from . import dead_letters
from .backoff import delay_after
from .current import Handler, current_topology, handler_at
from .dead_letters import describe
from .errors import InvalidMessage, LeaseLost, PermanentFailure
from .membership import Membership
from .messages import Message, from_body
from .models import DeadLetter
from .progress import Progress
from .streams import Entry, engine
from .topology import Group, Semantics

logger = structlog.get_logger(__name__)

READ_LIMIT = 100


def run_group(group: Group, *, member: str, hint: threading.Event, stop: threading.Event) -> None:
    """Handle the partitions that this member owns until `stop` is set, then hand them over."""
    stream = next(stream for stream in current_topology().streams if stream.name == group.stream)
    membership = Membership(group, stream, member=member)
    membership.join()
    runner = GroupRunner(group)
    rebalance_at = 0.0
    while not stop.is_set():
        hint.clear()
        if time.monotonic() >= rebalance_at:
            membership.rebalance()
            rebalance_at = time.monotonic() + settings.BROKER_POLL_SECONDS
        if not _advance_all(runner, membership, until=rebalance_at, stop=stop):
            hint.wait(_pause(membership))
    membership.leave()


def _advance_all(runner: "GroupRunner", membership: Membership, *, until: float, stop: threading.Event) -> bool:
    moved = False
    for progress in list(membership.owned.values()):
        try:
            moved |= runner.advance(progress, until=until, stop=stop)
        except LeaseLost:
            membership.forget(progress)
    return moved


def _pause(membership: Membership) -> float:
    """Seconds until a partition's retry or the next poll, whichever comes first."""
    waits = [progress.retry_at - time.monotonic() for progress in membership.owned.values() if not progress.is_due()]
    return max(0.0, min([settings.BROKER_POLL_SECONDS, *waits]))


def _reraise_if_lost(error: Exception) -> None:
    """PostgreSQL went away: that is no fault of the message."""
    if isinstance(error, OperationalError | InterfaceError) and not connection.is_usable():
        raise error


class GroupRunner:
    """Calls a group's handlers with the semantics that it promises."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self._handlers: Mapping[str, Handler] = {type_: handler_at(path) for type_, path in group.handlers.items()}
        self._handle = {
            Semantics.EXACTLY_ONCE: self._exactly_once,
            Semantics.AT_LEAST_ONCE: self._at_least_once,
            Semantics.AT_MOST_ONCE: self._at_most_once,
        }[group.semantics]

    def advance(self, progress: Progress, *, until: float, stop: threading.Event) -> bool:
        """Handle what waits in a partition, until a retry has to be waited for or `until` (monotonic) has come.

        Returns whether anything was read. Raises `LeaseLost` when somebody else owns the partition.
        """
        if not progress.is_due():
            return False
        size = self.group.batch
        limit = max(READ_LIMIT, size)
        entries = engine().read(progress.stream, progress.partition, progress.next_offset, limit=limit)

        def is_over() -> bool:
            return not progress.is_due() or stop.is_set() or time.monotonic() >= until

        for start in range(0, len(entries), size):
            batch = entries[start : start + size]
            if not self._take_together(batch, progress):
                self._take_singly(batch, progress, is_over)
            if is_over():
                break
        progress.flush()
        return bool(entries)

    def _take_together(self, entries: Sequence[Entry], progress: Progress) -> bool:
        """Handle entries in one transaction, with one commit of progress; False when they are to be taken singly.

        One that fails takes all of them back. That is no attempt yet: it is about to fail by itself.
        """
        if len(entries) == 1 or progress.attempts:  # what has failed before would only take the others back again
            return False
        before = copy(progress)
        try:
            with transaction.atomic():
                for entry in entries:
                    if call := self._call_for(entry, progress):
                        handler, message = call
                        handler(message)
                        progress.passed(offset=entry.offset, position=entry.position)
                progress.commit()
        except LeaseLost:
            raise
        except Exception as error:
            _reraise_if_lost(error)
            progress.restore(before)
            logger.warning("batch_failed", group=self.group.name, position=entry.position, error=str(error))
            return False
        return True

    def _take_singly(self, entries: Sequence[Entry], progress: Progress, is_over: Callable[[], bool]) -> None:
        for entry in entries:
            self._take(entry, progress)
            if is_over():
                break

    def _take(self, entry: Entry, progress: Progress) -> None:
        try:
            call = self._call_for(entry, progress)
        except InvalidMessage as error:
            self._bury(entry, progress, error, DeadLetter.Reason.INVALID)
            return
        if call is None:
            return
        handler, message = call
        before = copy(progress)
        try:
            self._handle(handler, message, entry, progress)
        except LeaseLost:
            raise
        except Exception as error:
            progress.restore(before)
            self._failed(entry, progress, error)

    def _call_for(self, entry: Entry, progress: Progress) -> tuple[Handler, Message] | None:
        """Which handler to call, and with what; None when the entry was passed over. Raises `InvalidMessage`."""
        if entry.position <= progress.watermark:  # a duplicate: the relay was killed between append and mark
            progress.passed(offset=entry.offset, position=entry.position)
            return None
        message = from_body(entry.body)
        handler = self._handlers.get(message.type)
        if handler is None or message.has_expired():
            progress.expired += handler is not None
            progress.passed(offset=entry.offset, position=entry.position)
            return None
        return handler, message

    def _exactly_once(self, handler: Handler, message: Message, entry: Entry, progress: Progress) -> None:
        """The handler's effects and the progress in one transaction, fenced."""
        with transaction.atomic():
            handler(message)
            progress.passed(offset=entry.offset, position=entry.position)
            progress.commit()

    def _at_least_once(self, handler: Handler, message: Message, entry: Entry, progress: Progress) -> None:
        """The handler first: a kill between the two calls it again."""
        handler(message)
        progress.passed(offset=entry.offset, position=entry.position)
        progress.commit()

    def _at_most_once(self, handler: Handler, message: Message, entry: Entry, progress: Progress) -> None:
        """The progress first: a kill between the two leaves the message out, and a failure is not tried again."""
        progress.passed(offset=entry.offset, position=entry.position)
        progress.commit()
        try:
            handler(message)
        except Exception as error:
            self._bury(entry, progress, error)

    def _failed(self, entry: Entry, progress: Progress, error: Exception) -> None:
        _reraise_if_lost(error)
        attempts = progress.attempts + 1
        if isinstance(error, PermanentFailure) or attempts >= self.group.max_attempts:
            self._bury(entry, progress, error)
            return
        delay = delay_after(attempts)
        progress.postpone(delay=delay, error=describe(error))
        self._log("handler_failed", entry, error, delay=delay)

    def _bury(
        self,
        entry: Entry,
        progress: Progress,
        error: Exception,
        reason: DeadLetter.Reason = DeadLetter.Reason.HANDLER_FAILED,
    ) -> None:
        with transaction.atomic():
            dead_letters.record(
                reason=reason,
                origin=f"group:{self.group.name}",
                body=entry.body,
                position=entry.position,
                attempts=progress.attempts + 1,
                error=error,
            )
            progress.passed(offset=entry.offset, position=entry.position)
            progress.commit()
        self._log("message_dead_lettered", entry, error)

    def _log(self, event: str, entry: Entry, error: Exception, **more: float) -> None:
        logger.warning(event, group=self.group.name, position=entry.position, error=str(error), **more)
