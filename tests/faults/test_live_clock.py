"""The clock of a web process's machine is an hour off, from the start or from one moment to the next."""

import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from django.db.models.functions import Now

from accounts.models import Membership, User
from notifications.models import Notification
from tests.integration.live_support import Client, LiveServer, push
from tests.integration.notifications_support import post
from tests.support.live_client import eventually

pytestmark = pytest.mark.django_db(transaction=True)
HOUR, A_MINUTE = 3600, 60  # in seconds
TICKED_WITHIN = 6.0  # seconds: three ticks
_OFF = """\
import os, time
true = time.time
time.time = lambda: true() + ({seconds} if os.path.exists("{mark}") else 0)
"""


class Web(LiveServer):
    """A web process whose clock, as `time.time` tells it, can be set."""

    def __init__(self, environment: dict[str, str], folder: Path, seconds: int, *, jumps: bool) -> None:
        self._mark = folder / "clock-was-set"
        (folder / "sitecustomize.py").write_text(_OFF.format(seconds=seconds, mark=self._mark))
        if not jumps:
            self.set_clock()
        super().__init__(environment | {"PYTHONPATH": str(folder)})

    def set_clock(self) -> None:
        """Set the clock by so many seconds, at once."""
        self._mark.touch()

    def seconds_ahead(self) -> float:
        """How far its clock is ahead of ours, by the date that uvicorn writes into each answer."""
        with urllib.request.urlopen(f"http://{self.url}/healthz", timeout=5) as answer:
            return (parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)).total_seconds()


@pytest.fixture(params=["from the start", "while it runs"])
def jumps(request: pytest.FixtureRequest) -> bool:
    """Whether the clock is right until `Web.set_clock`."""
    return bool(request.param == "while it runs")


@pytest.fixture
def web(
    transactional_db: None, test_database_url: str, tmp_path: Path, jumps: bool, request: pytest.FixtureRequest
) -> Iterator[Web]:
    """A web process whose machine's clock is, or will be, `request.param` seconds ahead."""
    running = Web({"DATABASE_URL": test_database_url}, tmp_path, request.param, jumps=jumps).wait_until_ready()
    yield running
    running.stop()


@pytest.mark.parametrize("web", [HOUR], indirect=True)
def test_a_clock_that_is_ahead_makes_nothing_expire_and_ends_no_membership(web: Web, subscriber: User) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=30)
    Membership.objects.filter(user=subscriber).update(ends_at=soon)
    with Client(web, subscriber) as client:
        client.resume()
        web.set_clock()
        eventually(lambda: web.seconds_ahead() > HOUR - A_MINUTE)
        assert client.hears_nothing(TICKED_WITHIN)

        push(post("Half an hour to go", expires_at=soon))

        assert client.titles(1) == ["Half an hour to go"]


@pytest.mark.parametrize("web", [-HOUR], indirect=True)
def test_a_clock_that_is_behind_keeps_nothing_longer_and_ends_a_membership_in_time(web: Web, subscriber: User) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=TICKED_WITHIN)
    Membership.objects.filter(user=subscriber).update(ends_at=ends)
    with Client(web, subscriber) as client:
        client.resume()
        web.set_clock()
        eventually(lambda: web.seconds_ahead() < A_MINUTE - HOUR)

        over = post("Over already")
        Notification.objects.filter(pk=over.pk).update(expires_at=Now())
        push(over)

        assert client.next("reset", within=2 * TICKED_WITHIN)["reason"] == "entitlement"
        assert datetime.now(UTC) >= ends
