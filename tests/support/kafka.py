"""The Kafka-protocol broker, behind a proxy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ott.embedded.kafka import KafkaBroker

from .proxy import Proxy, proxy_to


@contextmanager
def running_kafka(folder: Path) -> Iterator[tuple[KafkaBroker, Proxy]]:
    """A broker for as long as the block runs, with the proxy through which its clients come."""
    with proxy_to(0) as proxy, KafkaBroker(folder, advertised=proxy.port) as broker:
        proxy.target = broker.port
        yield broker, proxy
