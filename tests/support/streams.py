"""The small application's streams on another engine than PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.test import override_settings

from broker import moving
from broker.current import current_topology, stream_named
from broker.membership import prepare


@contextmanager
def standing_on(address: str) -> Iterator[None]:
    """Move there as an operator would, and back to PostgreSQL's settings when the test is over.

    Logs of an earlier test may be there: a move begins at their ends.
    """
    for group in current_topology().groups:
        prepare(group, stream_named(group.stream))
    moving.move(to=address, seconds=10)
    with override_settings(BROKER_STREAMS=address):
        yield
