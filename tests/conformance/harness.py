"""Each stream engine on a real server behind a proxy, so that the suite can cut, stop and kill it."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import dj_database_url
import pytest
from django.db import InterfaceError, OperationalError, connection
from pytest_django import DjangoDbBlocker

from broker.errors import StreamsUnavailable
from broker.messages import Message
from broker.models import StreamMessage, StreamPartition
from broker.streams import Entry, StreamEngine, engine_at
from broker.streams.kafka import KafkaStreams
from broker.streams.postgres import PostgresStreams
from broker.streams.rabbitmq import RabbitStreams
from broker.streams.redis import RedisStreams
from ott.embedded.postgres import EmbeddedPostgres
from ott.embedded.privileges import give_passage
from ott.embedded.rabbitmq import RabbitMQ
from ott.embedded.server import EmbeddedServer
from ott.embedded.valkey import EmbeddedValkey
from tests.support.kafka import running_kafka
from tests.support.proxy import Proxy, proxy_to

ENGINES = ("postgres", "redis", "kafka", "rabbitmq")
PARTITIONS = 2
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Harness:
    """One engine, and what a test may do to its server."""

    engine: StreamEngine
    url: str
    proxy: Proxy
    server: EmbeddedServer
    keeps_data: bool = True  # the Kafka broker of the tests has no disk
    trims: bool
    settles_in: float = 0.0  # seconds until a new stream survives a kill: what Features say of RabbitMQ
    lost: tuple[type[Exception], ...] = (StreamsUnavailable,)

    def insist(self, work: Callable[[], T], *, seconds: float = 20) -> T:
        """Do something again for as long as the server is lost, as relay and groups do."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return work()
            except self.lost:
                assert time.monotonic() < deadline, "the server was not found again"
                connection.close()
                time.sleep(0.05)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="marquee-engines-") as name:
        give_passage(Path(name))
        yield Path(name)


def _through(proxy: Proxy, url: str) -> str:
    """The same address with the proxy's port."""
    return url.replace(f":{urlsplit(url).port}", f":{proxy.port}")


@contextmanager
def postgres(blocker: DjangoDbBlocker) -> Iterator[Harness]:
    """A server of its own, with the engine's two tables: the tests' other one must not be killed."""
    with _folder() as folder, EmbeddedPostgres(folder / "postgres") as server, proxy_to(server.port) as proxy:
        address = dj_database_url.parse(_through(proxy, server.url))
        with blocker.unblock(), _connected_to(dict(address)):
            with connection.schema_editor() as editor:
                editor.create_model(StreamPartition)
                editor.create_model(StreamMessage)
            lost: tuple[type[Exception], ...] = (OperationalError, InterfaceError)
            yield Harness(engine=PostgresStreams(), url="postgres", proxy=proxy, server=server, trims=True, lost=lost)


@contextmanager
def _connected_to(address: dict[str, object]) -> Iterator[None]:
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update({name: address[name] for name in ("HOST", "PORT", "USER", "PASSWORD", "NAME")})
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


@contextmanager
def redis() -> Iterator[Harness]:
    """Valkey with its append-only file."""
    with _folder() as folder, EmbeddedValkey(folder / "valkey") as server, proxy_to(server.port) as proxy:
        url = _through(proxy, server.url)
        yield Harness(engine=RedisStreams(url), url=url, proxy=proxy, server=server, trims=True)


@contextmanager
def kafka() -> Iterator[Harness]:
    """A broker of the Kafka protocol, without a disk and without DeleteRecords."""
    with _folder() as folder, running_kafka(folder) as (server, proxy):
        url = f"kafka://127.0.0.1:{proxy.port}"
        engine = KafkaStreams(url, partitions=lambda _: PARTITIONS)
        yield Harness(engine=engine, url=url, proxy=proxy, server=server, trims=False, keeps_data=False)
        engine.close()


@contextmanager
def rabbitmq(server: RabbitMQ) -> Iterator[Harness]:
    """The run's one RabbitMQ."""
    with proxy_to(server.port) as proxy:
        url = _through(proxy, server.url)
        engine = RabbitStreams(url)
        yield Harness(engine=engine, url=url, proxy=proxy, server=server, trims=False, settles_in=2)
        engine.close()


@contextmanager
def started(name: str, request: pytest.FixtureRequest) -> Iterator[Harness]:
    """The engine of that name, on a server that runs as long as the block."""
    makers: dict[str, Callable[[], AbstractContextManager[Harness]]] = {
        "postgres": lambda: postgres(request.getfixturevalue("django_db_blocker")),
        "redis": redis,
        "kafka": kafka,
        "rabbitmq": lambda: rabbitmq(request.getfixturevalue("rabbitmq")),
    }
    with makers[name]() as harness:
        yield harness


@contextmanager
def address_of(name: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A value for BROKER_STREAMS, good as long as the block; `postgres` is the tests' own database."""
    if name == "postgres":
        yield name
        return
    with started(name, request) as harness:
        yield harness.url
        used = engine_at(harness.url)
        if isinstance(used, KafkaStreams | RabbitStreams):
            used.close()


positions = count(1)


def messages(number: int, *, size: int = 10, key: str = "sample:1") -> list[Message]:
    """As many new messages, each at the next position."""
    made = Message(type="sample.noted", exchange="samples", routing_key="noted", key=key, data={"text": "x" * size})
    return [replace(made, id=uuid4(), position=next(positions)) for _ in range(number)]


def read_all(engine: StreamEngine, stream: str, partition: int = 0, *, start: int = 0) -> list[Entry]:
    """Read on until nothing comes."""
    found: list[Entry] = []
    while entries := engine.read(stream, partition, start, limit=100):
        found += entries
        start = entries[-1].offset + 1
    return found


def positions_of(entries: list[Entry]) -> list[int]:
    """What tells them apart."""
    return [entry.position for entry in entries]
