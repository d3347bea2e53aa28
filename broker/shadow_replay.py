"""Shadow replay: would today's handlers make of a stream what is stored? Nothing that they do is kept.

Each message is handled in a transaction of its own that is READ ONLY for PostgreSQL, so that only temporary tables can
be written in it; the tables that the group declares stand there as empty temporary ones of the same names, which hide
the real ones. So the handler finds a clean slate, a write that was not declared is refused, and nobody waits for it.
The group's `effect` function looks twice: at the real tables, and at what the handler wrote. Then all is rolled back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.utils.module_loading import import_string

from . import trace
from .current import Handler, group_named, handler_at
from .dead_letters import describe
from .errors import BrokerError, InvalidMessage
from .formats import for_handler
from .messages import Message, from_body
from .offsets import Range
from .streams import Entry

SHOWN = 10  # differences that are kept
OUTBOX = "broker_outboxmessage"  # handlers may publish; that, too, is not kept

Effect = Mapping[str, Any] | None


class Superseded(BrokerError):
    """Raised by a group's `effect` function: a later message has covered what this one did."""


class NoShadow(BrokerError):
    """The group declares no `shadow`, so nobody knows which tables its handlers write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A message whose handler would leave something else today; or fail, then `made` says how."""

    partition: int
    offset: int
    type: str
    key: str
    stored: Effect
    made: Effect | str


@dataclass(slots=True, kw_only=True)
class Report:
    """How many messages' effects agree with what is stored; the first that do not."""

    agree: int = 0
    differ: int = 0
    failed: int = 0
    superseded: int = 0
    passed: int = 0  # of types that the group does not handle, or that nobody can read
    differences: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        """Keep it if it is one of the first."""
        if len(self.differences) < SHOWN:
            self.differences.append(difference)


def shadow_replay(
    *, group: str, parts: Sequence[Range], on_progress: Callable[[Report], None] = lambda _: None
) -> Report:
    """Compare what the group's handlers make of these ranges with what is stored; nothing is changed.

    Raises `UnknownName`, and `NoShadow` when the group declares none.
    """
    found, report = group_named(group), Report()
    if found.shadow is None:
        raise NoShadow(f"Group {group!r} declares no shadow")
    effect: Callable[[Message], Effect] = import_string(found.shadow.effect)
    with _empty_copies([OUTBOX, *found.shadow.tables]):
        for part in parts:
            for entry in part.entries():
                _compare(entry, part.partition, found.handlers, effect, report)
                on_progress(report)
    return report


def _compare(
    entry: Entry,
    partition: int,
    handlers: Mapping[str, str],
    effect: Callable[[Message], Effect],
    report: Report,
) -> None:
    try:
        message = for_handler(from_body(entry.body))
    except InvalidMessage:
        report.passed += 1
        return
    if message.type not in handlers:
        report.passed += 1
        return
    stored: Effect = None
    try:
        with _nothing_kept():
            with _real_tables():
                stored = effect(message)
            made: Effect | str = _made(handler_at(handlers[message.type]), message, effect)
    except Superseded:
        report.superseded += 1
        return
    except Exception as error:
        if not connection.is_usable():
            raise
        made = describe(error)
        report.failed += 1
    else:
        report.agree += stored == made
        report.differ += stored != made
    if stored != made:
        report.add(
            Difference(
                partition=partition, offset=entry.offset, type=message.type, key=message.key, stored=stored, made=made
            )
        )


def _made(handler: Handler, message: Message, effect: Callable[[Message], Effect]) -> Effect:
    with trace.handling(message, by="shadow"):
        handler(message)
    return effect(message)


@contextmanager
def _nothing_kept() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        yield
        transaction.set_rollback(True)


@contextmanager
def _real_tables() -> Iterator[None]:
    """Temporary tables come first unless the search path names them last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path')")
        path = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('search_path', %s || ', pg_temp', true)", [path])
        yield
        cursor.execute("SELECT set_config('search_path', %s, true)", [path])


@contextmanager
def _empty_copies(tables: Sequence[str]) -> Iterator[None]:
    names = [connection.ops.quote_name(table) for table in tables]
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"CREATE TEMPORARY TABLE {name} (LIKE {name} INCLUDING ALL)")
    try:
        yield
    finally:
        if connection.is_usable():  # or they are gone with the session
            with connection.cursor() as cursor:
                cursor.execute(f"DROP TABLE {', '.join(f'pg_temp.{name}' for name in names)}")
