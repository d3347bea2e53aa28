"""How many queries a page costs, however much there is to show."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from catalog.commands import publish_release
from catalog.models import Studio
from notifications.commands import subscribe
from tests.support.catalog import a_draft, a_studio

from .notifications_support import MOVIES, a_viewer, post

pytestmark = pytest.mark.django_db
Counted = Callable[[int], AbstractContextManager[Any]]

OF_THE_SESSION = 3  # session, user, profile


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def publish_three(studio: Studio) -> None:
    for episode in (1, 2, 3):
        release = a_draft(studio, title="Low Tide", kind="episode", category="tv-shows", season=1, episode=episode)
        publish_release(release_id=release.pk, actor=None)


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/", 4),  # the clock and the releases, for the hero and for the rails
        ("/browse/tv-shows/", 2),
        ("/search/?q=tide", 2),
        ("/titles/low-tide/", 4),  # the clock twice, the releases, the related titles
    ],
)
def test_a_viewers_page_costs_a_fixed_number_of_queries(
    path: str, queries: int, django_assert_num_queries: Counted
) -> None:
    publish_three(a_studio()[0])
    client = signed_in(a_viewer())
    with django_assert_num_queries(OF_THE_SESSION + queries):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/notifications/fragments/bell/", 5),  # state, entries, unread, the clock, membership
        ("/notifications/", 5),
        ("/notifications/topics/", 4),
        ("/notifications/fragments/follow/?topic=category:movies", 2),
        ("/notifications/fragments/follow-panel/?topic=category:movies&topic=studio:aurora", 4),
    ],
)
def test_what_is_shown_of_notifications_costs_a_fixed_number_of_queries(
    path: str, queries: int, django_assert_num_queries: Counted
) -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    for number in range(5):
        post(f"Film {number}")
    client = signed_in(viewer)
    client.get(path)  # the epoch of the database is made once
    with django_assert_num_queries(OF_THE_SESSION + queries):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("page", "queries"),
    [("", 7), ("releases/", 5), ("titles/", 5), ("analytics/", 2), ("team/", 5), ("tokens/", 3), ("releases/new/", 5)],
)
def test_a_studios_page_costs_a_fixed_number_of_queries(
    page: str, queries: int, django_assert_num_queries: Counted
) -> None:
    studio, owner = a_studio()
    publish_three(studio)
    client = signed_in(owner)
    with django_assert_num_queries(OF_THE_SESSION + queries):
        assert client.get(f"/studio/{studio.slug}/{page}").status_code == 200
