"""Each server that Celery may send wake-ups with, as a real one; SQS as moto serves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from celery import Celery
from django.conf import settings
from moto.server import ThreadedMotoServer

from ott.celery import app
from ott.celery_transports import transport_of
from ott.embedded.ports import LOOPBACK, free_port


@dataclass(frozen=True)
class Sqs:
    """A server that speaks SQS."""

    url: str


@pytest.fixture(scope="module")
def sqs() -> Iterator[Sqs]:
    """An empty SQS."""
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=free_port(), verbose=False)
    server.start()
    yield Sqs(f"sqs://key:secret@{LOOPBACK}:{server._port}")
    server.stop()


@contextmanager
def celery_on(url: str) -> Iterator[Celery]:
    """Celery as the settings would make it with this CELERY_BROKER_URL, current in this thread."""
    transport = transport_of(url)
    assert transport
    other = Celery("other", set_as_current=False)
    other.config_from_object(
        {
            "broker_url": url,
            "broker_transport_options": dict(transport.options),
            "task_default_queue": settings.CELERY_TASK_DEFAULT_QUEUE,
        }
    )
    other.set_current()
    try:
        yield other
    finally:
        other.close()
        app.set_current()
