"""Consumer groups: each message of a stream, in order per partition, to the group's handler for its type."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy

import structlog
from django.conf import settings
from django.db import connection, transaction

from . import clock, dead_letters, logical_clock, trace
from .backoff import delay_after
from .calls import Call
from .current import Handler, handler_at, stream_named
from .dead_letters import describe
from .errors import InvalidMessage, LeaseLost, PermanentFailure
from .formats import for_handler
from .membership import Membership
from .messages import Message, from_body
from .models import DeadLetter
from .progress import Progress
from .sessions import is_lost
from .streams import Entry, OffsetMirror, engine
from .topology import Expired, Group, Semantics

logger = structlog.get_logger(__name__)

READ_LIMIT = 100
DIED = "In each attempt the process died, or was silent for longer than its lease"

_alone = threading.Lock()  # held for a message that may kill the process: should it, no other is counted with it


def run_group(runner: "GroupRunner", *, member: str, hint: threading.Event, stop: threading.Event) -> None:
    """Handle the partitions that this member owns until `stop` is set, then hand them over."""
    membership = Membership(runner.group, runner.stream, member=member)
    membership.join()
    rebalance_at = 0.0
    while not stop.is_set():
        hint.clear()
        if time.monotonic() >= rebalance_at:
            membership.rebalance()
            rebalance_at = time.monotonic() + settings.BROKER_POLL_SECONDS
            _mirror(membership)
        moved = _advance_all(runner, membership, until=rebalance_at, stop=stop)
        if not moved:
            hint.wait(_pause(membership))
        elif moved <= settings.BROKER_FEW:
            hint.wait(settings.BROKER_GROW_SECONDS)
    if not runner.is_given_up:  # then somebody else is the member by now
        membership.leave()


def _advance_all(runner: "GroupRunner", membership: Membership, *, until: float, stop: threading.Event) -> int:
    """How many entries were read, in all partitions."""
    moved = 0
    for progress in list(membership.owned.values()):
        if stop.is_set():
            break
        try:
            moved += runner.advance(progress, until=until, stop=stop)
        except LeaseLost:
            membership.forget(progress)
    return moved


def _mirror(membership: Membership) -> None:
    """Show the server's own tools how far the group is, where it has such a thing."""
    streams = engine()
    offsets = {progress.partition: progress.next_offset for progress in membership.owned.values()}
    if offsets and isinstance(streams, OffsetMirror):
        streams.mirror(membership.group.name, membership.stream.name, offsets)


def _pause(membership: Membership) -> float:
    """Seconds until a partition's retry or the next poll, whichever comes first."""
    waits = [progress.retry_at - time.monotonic() for progress in membership.owned.values() if not progress.is_due()]
    return max(0.0, min([settings.BROKER_POLL_SECONDS, *waits]))


def _reraise_if_lost(error: Exception) -> None:
    """PostgreSQL went away: that is no fault of the message."""
    if is_lost(error) and not connection.is_usable():
        raise error


@contextmanager
def _by_itself(seconds: float) -> Iterator[None]:
    """No other message that may kill the process is handled meanwhile, unless one of them hangs for so long."""
    is_held = _alone.acquire(timeout=seconds)
    try:
        yield
    finally:
        if is_held:
            _alone.release()


class GroupRunner:
    """Calls a group's handlers with the semantics that it promises. `call` is the one that goes on, if any."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.stream = stream_named(group.stream)
        self._origin = f"group:{group.name}"
        self.call: Call | None = None
        self.is_given_up = False
        self._handlers: Mapping[str, Handler] = {type_: handler_at(path) for type_, path in group.handlers.items()}
        self._handle = {
            Semantics.EXACTLY_ONCE: self._exactly_once,
            Semantics.AT_LEAST_ONCE: self._at_least_once,
            Semantics.AT_MOST_ONCE: self._at_most_once,
        }[group.semantics]

    def advance(self, progress: Progress, *, until: float, stop: threading.Event) -> int:
        """Handle what waits in a partition, until a retry has to be waited for or `until` (monotonic) has come.

        Returns how many entries were read. Raises `LeaseLost` when somebody else owns the partition.
        """
        if not progress.is_due():
            return 0
        size = self.group.batch
        limit = max(READ_LIMIT, size)
        entries = engine().read(progress.stream, progress.partition, progress.next_offset, limit=limit)
        if entries and progress.is_taken_over:  # the last owner had read no further
            progress.suspect(before=entries[-1].offset + 1)

        def is_over() -> bool:
            return stop.is_set() or time.monotonic() >= until

        for start in range(0, len(entries), size):
            batch = entries[start : start + size]
            if not self._take_together(batch, progress):
                self._take_singly(batch, progress, is_over)
            if progress.next_offset <= batch[-1].offset or is_over():
                break
        progress.flush()
        return len(entries)

    def _take_together(self, entries: Sequence[Entry], progress: Progress) -> bool:
        """Handle entries in one transaction, with one commit of progress; False when they are to be taken singly.

        One that fails takes all of them back. That is no attempt yet: it is about to fail by itself.
        """
        if len(entries) == 1 or progress.attempts or progress.next_offset < progress.singly_until:
            return False  # what has failed before would only take the others back again
        before = copy(progress)
        try:
            with transaction.atomic():
                with self._timed(entries[0], before, is_batch=True) as call:
                    for entry in entries:
                        call.turn_to(entry)
                        self._handle_together(entry, progress)
                progress.commit()
        except LeaseLost:
            raise
        except Exception as error:
            _reraise_if_lost(error)
            progress.restore(before)
            logger.warning("batch_failed", group=self.group.name, position=entry.position, error=str(error))
            return False
        return True

    def _handle_together(self, entry: Entry, progress: Progress) -> None:
        if step := self._step_for(entry, progress):
            handler, message = step
            with trace.handling(message, by=self._origin):
                handler(message)
            progress.passed(offset=entry.offset, position=entry.position)

    def _take_singly(self, entries: Sequence[Entry], progress: Progress, is_over: Callable[[], bool]) -> None:
        for entry in entries:
            self._take(entry, progress)
            if progress.next_offset <= entry.offset or is_over():  # it failed: whatever its wait, it comes first
                break

    def _take(self, entry: Entry, progress: Progress) -> None:
        try:
            step = self._step_for(entry, progress)
        except InvalidMessage as error:
            self._bury(entry, progress, error, DeadLetter.Reason.INVALID)
            return
        if step is not None:
            with trace.handling(step[1], by=self._origin):
                self._begin(*step, entry, progress)

    def _begin(self, handler: Handler, message: Message, entry: Entry, progress: Progress) -> None:
        """Try a message; where it may be what killed the last owner, count that before."""
        if entry.offset >= progress.singly_until or self.group.semantics is Semantics.AT_MOST_ONCE:
            self._try(handler, message, entry, progress)
        elif progress.attempts >= self.group.max_attempts:
            self._bury(entry, progress, DIED, attempts=progress.attempts)
        else:
            with _by_itself(self.group.time_limit):
                progress.note_attempt()
                self._try(handler, message, entry, progress)

    def _try(self, handler: Handler, message: Message, entry: Entry, progress: Progress) -> None:
        before = copy(progress)
        try:
            with self._timed(entry, before):
                self._handle(handler, message, entry, progress)
        except LeaseLost:
            raise
        except Exception as error:
            progress.restore(before)
            self._failed(entry, progress, error)

    @contextmanager
    def _timed(self, entry: Entry, before: Progress, *, is_batch: bool = False) -> Iterator[Call]:
        """Let whoever watches the time know what is being done."""
        self.call = call = Call.begin(entry, before, limit=self.group.time_limit, is_batch=is_batch)
        try:
            yield call
        finally:
            self.call = None

    def _step_for(self, entry: Entry, progress: Progress) -> tuple[Handler, Message] | None:
        """Which handler to call, and with what; None when the entry was passed over. Raises `InvalidMessage`."""
        if entry.position <= progress.watermark:  # a duplicate: the relay was killed between append and mark
            progress.passed(offset=entry.offset, position=entry.position)
            return None
        message = from_body(entry.body)
        handler = self._handlers.get(message.type)
        if handler is None:
            progress.passed(offset=entry.offset, position=entry.position)
            return None
        if clock.has_expired(message):
            self._expired(entry, message, progress)
            return None
        logical_clock.observe(message)
        return handler, for_handler(message)

    def _expired(self, entry: Entry, message: Message, progress: Progress) -> None:
        progress.expired += 1
        if self.stream.expired is not Expired.DEAD_LETTER:
            progress.passed(offset=entry.offset, position=entry.position)
            return
        error = f"Expired at {message.expires_at}, before the group came to it"
        with transaction.atomic():
            self._record(entry, error, attempts=progress.attempts, reason=DeadLetter.Reason.EXPIRED)
            progress.passed(offset=entry.offset, position=entry.position)
            progress.commit()

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

    def give_up(self, call: Call) -> None:
        """Take the partition away from a call that hangs, on another thread; the attempt has failed.

        What the hanging thread still does to the database is not committed: its session is cut, and its generation
        is over. Raises `LeaseLost` when the partition has another owner already.
        """
        self.is_given_up = True
        error = call.cut()
        with transaction.atomic():
            if call.progress.lock() < call.entry.position:
                if call.is_batch:
                    call.progress.singly_until = call.entry.offset + 1
                else:
                    self._failed(call.entry, call.progress, error)
            elif self.group.semantics is Semantics.AT_MOST_ONCE:  # its progress is written already
                self._record(call.entry, error, attempts=1)
            call.progress.fence()

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
        error: Exception | str,
        reason: DeadLetter.Reason = DeadLetter.Reason.HANDLER_FAILED,
        *,
        attempts: int = 0,
    ) -> None:
        with transaction.atomic():
            self._record(entry, error, attempts=attempts or progress.attempts + 1, reason=reason)
            progress.passed(offset=entry.offset, position=entry.position)
            progress.commit()

    def _record(
        self,
        entry: Entry,
        error: Exception | str,
        *,
        attempts: int,
        reason: DeadLetter.Reason = DeadLetter.Reason.HANDLER_FAILED,
    ) -> None:
        dead_letters.record(
            reason=reason,
            origin=self._origin,
            body=entry.body,
            position=entry.position,
            attempts=attempts,
            error=error,
        )

    def _log(self, event: str, entry: Entry, error: Exception | str, **more: float) -> None:
        logger.warning(event, group=self.group.name, position=entry.position, error=str(error), **more)
