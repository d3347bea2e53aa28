"""The clock of a web process's machine is an hour off."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from accounts.models import Membership, User
from tests.integration.live_support import Client, LiveServer, push
from tests.integration.notifications_support import post

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = 3600
TICKED_WITHIN = 6.0  # seconds: three ticks


@pytest.fixture
def web(
    transactional_db: None, test_database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[LiveServer]:
    """A web process on a machine whose clock is `request.param` seconds ahead."""
    off = f"import time\ntrue = time.time\ntime.time = lambda: true() + {request.param}\n"
    (tmp_path / "sitecustomize.py").write_text(off)
    running = LiveServer({"DATABASE_URL": test_database_url, "PYTHONPATH": str(tmp_path)}).wait_until_ready()
    yield running
    running.stop()


@pytest.mark.parametrize("web", [HOUR], indirect=True)
def test_a_clock_that_is_ahead_makes_nothing_expire_and_ends_no_membership(web: LiveServer, subscriber: User) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=30)
    Membership.objects.filter(user=subscriber).update(ends_at=soon)
    with Client(web, subscriber) as client:
        client.resume()
        assert client.hears_nothing(TICKED_WITHIN)

        push(post("Half an hour to go", expires_at=soon))

        assert client.titles(1) == ["Half an hour to go"]


@pytest.mark.parametrize("web", [-HOUR], indirect=True)
def test_a_clock_that_is_behind_keeps_nothing_longer_and_ends_a_membership_in_time(
    web: LiveServer, subscriber: User
) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=TICKED_WITHIN)
    Membership.objects.filter(user=subscriber).update(ends_at=ends)
    with Client(web, subscriber) as client:
        client.resume()

        push(post("Over already", expires_at=datetime.now(UTC) + timedelta(seconds=0.01)))

        assert client.next("reset", within=2 * TICKED_WITHIN)["reason"] == "entitlement"
        assert datetime.now(UTC) >= ends
