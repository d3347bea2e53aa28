"""Fixtures of all tests that start processes on their own database: its address, and somebody who is told of things."""

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import User
from notifications.commands import subscribe
from notifications.models import Epoch
from tests.integration.live_support import EPOCH
from tests.integration.notifications_support import MOVIES, a_viewer


@pytest.fixture(scope="session")
def test_database_url(django_db_setup: None) -> str:
    """The address of the tests' own database, for processes that they start."""
    return f"{settings.DATABASE_URL.rpartition('/')[0]}/{connection.settings_dict['NAME']}"


@pytest.fixture
def subscriber(transactional_db: None) -> User:
    """A member who follows Movies."""
    Epoch.objects.create(value=EPOCH)
    user = a_viewer()
    subscribe(viewer_id=user.pk, topic=MOVIES)
    return user
