"""Fixtures of the tests that need servers but not the whole platform."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings

from notifications.live import push
from notifications.outbound.channels import SMTP_BACKEND
from notifications.outbound.web_push import keys
from tests.support.outbound_sinks import MailSink, mail_sink

from .live_support import LiveServer


@pytest.fixture(scope="session")
def live_web(test_database_url: str) -> Iterator[LiveServer]:
    """A web process on the tests' database."""
    running = LiveServer({"DATABASE_URL": test_database_url}).wait_until_ready()
    yield running
    running.stop()


@pytest.fixture
def _standing_hints_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes for a user is told to no hub, so that the tick has to find it."""
    monkeypatch.setattr(push, "_send_soon", lambda _message: None)


@pytest.fixture
def _quick_attempts(settings: LazySettings, tmp_path: Path) -> None:
    """Attempts are given up soon and made again only when a test says so, to receivers on loopback, with new keys."""
    settings.OUTBOUND_ALLOW_PRIVATE = True
    settings.OUTBOUND_BACKOFF_SECONDS = settings.OUTBOUND_BACKOFF_CAP_SECONDS = 1e6  # never by itself
    settings.OUTBOUND_SECONDS = 0.5
    settings.OTT_DATA_DIR = tmp_path
    keys.vapid.cache_clear()
    keys.public_key.cache_clear()


@pytest.fixture
def mails(settings: LazySettings) -> Iterator[MailSink]:
    """The mail server that mail is sent through."""
    with mail_sink() as running:
        settings.EMAIL_BACKEND = SMTP_BACKEND
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        yield running
