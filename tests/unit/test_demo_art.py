"""The demo's pictures and plan."""

from collections import Counter
from datetime import UTC, datetime
from io import BytesIO

import pytest
from PIL import Image

from catalog.models import ReleaseKind
from ott.demo import art
from ott.demo.catalogue import STUDIOS, TITLES
from ott.demo.releases import plan

NOW = datetime(2026, 5, 1, 20, tzinfo=UTC)


def test_there_are_eight_studios_forty_titles_and_three_live_events() -> None:
    assert len(STUDIOS) == 8
    assert len({title.name for title in TITLES}) == 40
    assert set(Counter(title.category for title in TITLES).values()) == {8}
    assert {title.studio for title in TITLES} == {studio.slug for studio in STUDIOS}
    events = [release for release in plan(NOW) if release.kind == ReleaseKind.LIVE_EVENT]
    assert len(events) == 3
    assert all(event.expires_at and event.expires_at > NOW for event in events)


def test_every_title_has_something_published_in_the_past_and_in_order() -> None:
    moments = [release.published_at for release in plan(NOW) if release.published_at]

    assert {release.title.name for release in plan(NOW) if release.published_at} == {title.name for title in TITLES}
    assert moments == sorted(moments)
    assert moments[-1] < NOW


def test_headlines_are_unlike_each_other_so_that_a_second_run_finds_them() -> None:
    assert max(Counter(release.headline for release in plan(NOW)).values()) == 1


@pytest.mark.parametrize("scene", sorted(art.SCENES))
def test_a_scene_is_the_same_every_time_and_has_the_size_that_was_asked_for(scene: str) -> None:
    first, second = (art.poster(name="The Long Night", studio="Aurora", scene=scene, palette="dusk") for _ in range(2))

    assert first == second
    assert Image.open(BytesIO(first)).size == art.POSTER


def test_a_title_that_is_very_long_still_fits_the_poster() -> None:
    assert art.poster(name="Supercalifragilistic " * 6, studio="Aurora", scene="rings", palette="ink")
