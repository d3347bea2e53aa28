"""Seeding the demo: a few titles of it, to be quick."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.models import Membership, User
from catalog import queries
from catalog.models import Release, Studio, Title
from notifications.models import Subscription
from ott.demo import people
from ott.demo.catalogue import STUDIOS
from tests.support.catalog import types_of_messages

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]
SOME = ("The Long Night", "Hollow Star", "The Cartographer's Debt", "The Floodlight League", "Low Tide")
SEED = f"""
import django; django.setup()
from ott.demo import releases, seeding
some = {SOME!r}
seeding.TITLES = [title for title in seeding.TITLES if title.name in some]
everything = releases.plan
seeding.plan = lambda now: [release for release in everything(now) if release.title.name in some]
seeding.seed()
"""


@pytest.fixture
def environment(process_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {**process_environment, "OTT_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "ott.settings"}


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", SEED], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def numbers() -> list[int]:
    tables = (Studio, Title, Release, User, Membership, Subscription)
    return [table.objects.count() for table in tables]


def test_a_seeding_that_is_killed_is_finished_by_the_next_one_and_a_third_changes_nothing(
    environment: dict[str, str], tmp_path: Path, settings: Settings
) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]  # that of the processes
    first, deadline = start(environment), time.monotonic() + 60
    while not Release.objects.filter(state="published").exists():
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert not User.objects.filter(email=people.OPERATOR).exists()

    output, _ = (second := start(environment)).communicate(timeout=120)

    assert second.returncode == 0
    assert "trailer" in output
    assert Studio.objects.count() == len(STUDIOS)
    assert sorted(Title.objects.values_list("name", flat=True)) == sorted(SOME)
    assert sorted(Release.objects.values_list("state", flat=True).distinct()) == ["draft", "published", "scheduled"]
    assert types_of_messages().count("release.published") == Release.objects.filter(state="published").count()
    assert not list((tmp_path / "media" / "encoding").iterdir())
    assert all(
        release.playable for release in Release.objects.filter(kind__in=["premiere", "episode"], state="published")
    )
    check_what_visitors_find()

    before = numbers()
    third = start(environment)
    third.communicate(timeout=60)
    assert third.returncode == 0
    assert numbers() == before


def check_what_visitors_find() -> None:
    assert [rail.category for rail in queries.home_rails()] == ["movies", "tv-shows", "sports"]
    hero, live = queries.hero(), queries.title_page(slug="the-floodlight-league")
    assert hero is not None
    assert hero.has_video
    assert live is not None
    assert live.is_live
    accounts = User.objects.filter(email__in=[people.STUDIO, people.VIEWER, people.OPERATOR])
    assert all(account.check_password(people.PASSWORD) for account in accounts)
    assert accounts.filter(is_superuser=True).count() == 1
    audience = User.objects.filter(email__contains="@audience.")
    assert audience.count() == people.AUDIENCE
    assert Membership.objects.filter(user__in=audience).count() == 90
    followed = Subscription.objects.filter(viewer__email=people.VIEWER).values_list("topic__name", flat=True)
    assert sorted(followed) == sorted(people.FOLLOWED_BY_VIEWER)
