"""A real RabbitMQ for tests: one node for the whole run, in a temporary folder."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ott.embedded.privileges import give_passage
from ott.embedded.rabbitmq import RabbitMQ, is_installed


@contextmanager
def running_rabbitmq() -> Iterator[RabbitMQ]:
    """A node for as long as the block runs; skips the test where RabbitMQ is not installed."""
    if not is_installed():
        pytest.skip("RabbitMQ is not installed: the package is rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix=f"marquee-rabbitmq-{secrets.token_hex(2)}-") as name:
        give_passage(Path(name))
        with RabbitMQ(Path(name)) as node:
            yield node


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """One node for the whole run. A test that stops or kills it starts it again before it ends."""
    with running_rabbitmq() as node:
        yield node
