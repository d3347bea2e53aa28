"""Fixtures of the tests that need servers but not the whole platform."""

from collections.abc import Iterator

import pytest

from notifications.live import push

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
