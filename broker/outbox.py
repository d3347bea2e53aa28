"""The only way in: a message is written in the transaction that makes it true."""

from collections.abc import Iterable

from django.db import connection, transaction

from . import hints, schemas, trace
from .current import current_topology
from .envelope import encode
from .errors import InvalidMessage, NotInTransaction, Unroutable
from .hashing import key_hash
from .logical_clock import stamped
from .messages import Message
from .routing import route
from .topology import ExchangeType

_LOCK = "SELECT pg_advisory_xact_lock(%s)"
# A row is taken from `locked` before its id is drawn: ids of one key are then in commit order.
_INSERT = """
    WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock(%s))
    INSERT INTO broker_outboxmessage (message_id, type, key, exchange, routing_key, body)
    SELECT %s::uuid, %s, %s, %s, %s, %s::jsonb FROM locked
"""


def publish(message: Message, *, mandatory: bool = False) -> None:
    """Publish `message` with the current transaction: it is routed at least once if that commits, never if not.

    Waits for other transactions that publish under the same key, so that the order of a key's messages is the order
    of their commits. Inside a handler it is a consequence of the message that is handled. Raises `NotInTransaction`, or
    `InvalidMessage` naming the field.

    A message that nothing is bound for becomes a dead letter later on; a `mandatory` one is refused here and now:
    raises `Unroutable` naming the exchange and the routing key, and the transaction can go on or roll back.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction
    message = trace.in_context(message)
    schemas.validate(message)
    body = encode(stamped(message))
    _check_exchange(message)
    if mandatory and not route(message, current_topology()):
        raise Unroutable(exchange=message.exchange, routing_key=message.routing_key)
    _insert(message, body)
    _hint_on_commit()


def _insert(message: Message, body: str) -> None:
    names = message.type, message.key, message.exchange, message.routing_key
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [key_hash(message.key), message.id, *names, body])


def lock_keys(keys: Iterable[str]) -> None:
    """Take the locks of several keys in one order, so that two transactions that publish under many never deadlock."""
    with connection.cursor() as cursor:
        for number in sorted({key_hash(key) for key in keys}):
            cursor.execute(_LOCK, [number])


def _check_exchange(message: Message) -> None:
    exchange = next((each for each in current_topology().exchanges if each.name == message.exchange), None)
    if exchange is None:
        raise InvalidMessage("exchange", f"there is no exchange {message.exchange!r}")
    if not exchange.types:
        return
    if message.type not in exchange.types:
        raise InvalidMessage("type", f"{message.type!r} is not published to the exchange {exchange.name!r}")
    is_by_key = exchange.type in (ExchangeType.DIRECT, ExchangeType.TOPIC)
    if is_by_key and not f"{message.routing_key}.".startswith(f"{message.type}."):
        raise InvalidMessage("routing_key", f"must begin with the type, {message.type!r}")


def _hint_on_commit() -> None:
    if not any(callback[1] is _hint for callback in connection.run_on_commit):
        transaction.on_commit(_hint, robust=True)


def _hint() -> None:
    hints.send(hints.OUTBOX)
