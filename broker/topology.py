"""The words in which an application declares its exchanges, streams, work queues, bindings and groups."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from .messages import Format, HeaderValue, Message


class ExchangeType(StrEnum):
    """AMQP 0-9-1's four."""

    DIRECT = "direct"
    TOPIC = "topic"
    FANOUT = "fanout"
    HEADERS = "headers"


class Semantics(StrEnum):
    """What a consumer group promises about a handler's effects."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"
    EXACTLY_ONCE = "exactly_once"


class Transformer(Protocol):
    """One step of what a binding does to a message on its way; those that there are stand in `broker/transforms.py`."""

    def __call__(self, message: Message) -> Message:
        """The message in its new shape. Raises `InvalidMessage` for one that has none."""

    def type_after(self, type_: str) -> str:
        """The type that a message of this type has afterwards."""

    def fields_after(self, fields: frozenset[str]) -> frozenset[str]:
        """The names of the data's fields afterwards. Raises `InvalidMessage` naming one that is missing."""


class Expired(StrEnum):
    """What becomes of a message that a group reads after it expired; it is counted in any case."""

    COUNT = "count"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """Where messages are published; `alternate` names the exchange that gets what no binding matched.

    `types` are the event types that are published here, on direct and topic exchanges under routing keys that begin
    with the type; anything else is refused. Empty: any.
    """

    name: str
    type: ExchangeType
    alternate: str | None = None
    types: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stream:
    """An append-only log; messages of one key share a partition. `format` is how their data is written in it.

    It keeps what is younger than `max_age`, and at most `max_bytes` (about, shared equally by its partitions); but what
    a group has not read it keeps in any case, unless it says `trim_unread`. On an engine that does not trim, the
    server's own rules decide.
    """

    name: str
    partitions: int = 2
    expired: Expired = Expired.COUNT
    format: Format = Format.JSON
    max_age: timedelta | None = None
    max_bytes: int | None = None
    trim_unread: bool = False


@dataclass(frozen=True, kw_only=True)
class WorkQueue:
    """Each message goes to exactly one worker, which calls `handler` (a dotted path) with it.

    `lane` is the Celery queue that wakes the worker; `lease_seconds` is how long a silent worker keeps the item.
    `fair_by` names a header: items of one value of it take turns with those of other values, however many one has.
    """

    name: str
    handler: str
    lane: str = "default"
    max_attempts: int = 5
    lease_seconds: float = 15.0
    fair_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Binding:
    """Routes from an exchange to a stream, a work queue or another exchange, named by `to`.

    `routing_key` is a pattern on topic exchanges; `headers` with `x-match` serve headers exchanges. `transform` is
    done to a message, in this order, on its way to a stream or work queue.
    """

    exchange: str
    to: str
    routing_key: str = ""
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    transform: tuple[Transformer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """What a shadow replay needs to know of a group: the tables that its handlers write, and how to see an effect.

    `effect` is the dotted path of a function from a message to what its handler left in the database: a mapping that
    can be compared, without surrogate keys and moments of writing; None when there is nothing. It raises
    `broker.shadow_replay.Superseded` when a later message has covered it.
    """

    effect: str
    tables: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Group:
    """A consumer group on a stream: `handlers` maps event types to dotted paths; other types are passed over.

    `batch` is how many messages of a partition share one transaction (exactly once only). More of them cost fewer
    commits, and hold what a handler locks until the last one is handled. `time_limit` is how many seconds a handler
    may take for one message: then its session is cut, and the attempt has failed.
    """

    name: str
    stream: str
    handlers: Mapping[str, str]
    semantics: Semantics = Semantics.EXACTLY_ONCE
    max_attempts: int = 5
    batch: int = 1
    time_limit: float = 30.0
    shadow: Shadow | None = None


@dataclass(frozen=True, kw_only=True, eq=False)  # compared by identity, so that what is compiled from it is kept
class Topology:
    """The whole map."""

    exchanges: tuple[Exchange, ...]
    streams: tuple[Stream, ...]
    queues: tuple[WorkQueue, ...]
    bindings: tuple[Binding, ...]
    groups: tuple[Group, ...]
