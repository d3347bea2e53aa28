"""Fixtures of tests in several folders: the database's address for processes, who is told, and where it is sent."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import User
from notifications.commands import subscribe
from notifications.models import Epoch
from tests.integration.live_support import EPOCH
from tests.integration.notifications_support import MOVIES, a_viewer
from tests.support.outbound_sinks import WebSink, web_sink


@pytest.fixture(scope="session")
def test_database_url(django_db_setup: None) -> str:
    """The address of the tests' own database, for processes that they start."""
    return f"{settings.DATABASE_URL.rpartition('/')[0]}/{connection.settings_dict['NAME']}"


@pytest.fixture
def sink() -> Iterator[WebSink]:
    """A web server that plays mail providers, push services and receivers of webhooks."""
    with web_sink() as running:
        yield running


@pytest.fixture
def subscriber(transactional_db: None) -> User:
    """A member who follows Movies."""
    Epoch.objects.create(value=EPOCH)
    user = a_viewer()
    subscribe(viewer_id=user.pk, topic=MOVIES)
    return user
