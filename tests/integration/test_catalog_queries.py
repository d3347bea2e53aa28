"""What viewers and studios see, in a fixed number of queries."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from catalog import commands, queries, studio_queries
from catalog.errors import NotAllowed, NotFound
from catalog.models import Release, Studio, Title
from tests.support.catalog import a_draft, a_member, a_studio, a_user, mark_encoded, with_asset

pytestmark = pytest.mark.django_db
NOW = timezone.now()
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def published(**details: Any) -> Release:
    return commands.publish_release(actor=None, release_id=a_draft(**details).pk)


def names(cards: Any) -> list[str]:
    return [card.name for card in cards]


def test_home_has_a_rail_for_each_category_with_the_newest_first() -> None:
    published(title="Old", category="movies")
    published(title="New", category="movies")
    published(title="Cup", category="sports")
    a_draft(title="Hidden", category="kids")

    assert [(rail.category, rail.label, names(rail.cards)) for rail in queries.home_rails()] == [
        ("movies", "Movies", ["New", "Old"]),
        ("sports", "Sports", ["Cup"]),
    ]


def test_a_title_stands_in_a_rail_once_by_its_newest_release() -> None:
    studio, _ = a_studio()
    for episode in (1, 2, 3):
        published(studio=studio, title="Low Tide", category="tv-shows", kind="episode", episode=episode)

    (rail,) = queries.home_rails()
    assert [(card.name, card.badge) for card in rail.cards] == [("Low Tide", "EP 3")]


def test_what_is_recalled_or_over_is_not_shown() -> None:
    recalled = published()
    commands.recall_release(actor=None, release_id=recalled.pk)
    published(title="Over", expires_at=NOW - HOUR)

    assert queries.home_rails() == []
    assert queries.title_page(slug=recalled.title.slug) is None
    assert queries.search(text="Over") == []


def test_children_see_only_what_is_for_them() -> None:
    Title.objects.filter(pk=published(title="Gore", category="movies").title_id).update(maturity=18)
    published(title="Pip", category="movies")

    assert names(queries.browse(category="movies", kids=True)) == ["Pip"]
    assert names(queries.home_rails(kids=True)[0].cards) == ["Pip"]
    assert queries.title_page(slug="gore", kids=True) is None
    assert queries.search(text="gore", kids=True) == []


@pytest.mark.parametrize(
    ("details", "badge"),
    [
        ({"kind": "live_event", "starts_at": NOW - HOUR}, "LIVE"),
        ({"kind": "live_event", "starts_at": NOW + HOUR}, "NEW"),
        ({"kind": "live_event", "starts_at": NOW - 5 * HOUR}, "NEW"),
        ({"kind": "episode", "episode": 4}, "EP 4"),
        ({"kind": "premiere"}, "NEW"),
    ],
)
def test_a_card_wears_one_word(details: dict[str, Any], badge: str) -> None:
    published(**details)

    assert queries.browse(category="movies")[0].badge == badge


def test_after_two_weeks_nothing_is_new() -> None:
    Release.objects.filter(pk=published().pk).update(published_at=NOW - timedelta(days=15))

    assert queries.browse(category="movies")[0].badge == ""


def test_the_hero_has_a_backdrop_and_can_be_played_if_anything_can() -> None:
    playable, newer, _ = a_draft(), a_draft(), published()
    mark_encoded(with_asset(playable))
    assert queries.hero() is None
    for release in (playable, newer):
        Title.objects.filter(pk=release.title_id).update(backdrop="backdrops/x.webp")
        commands.publish_release(actor=None, release_id=release.pk)

    card = queries.hero()
    assert card is not None
    assert (card.slug, card.backdrop, card.has_video) == (playable.title.slug, "/media/backdrops/x.webp", True)


def test_a_title_page_plays_the_newest_video_and_knows_the_event_that_is_next() -> None:
    studio, _ = a_studio()
    first = a_draft(studio, title="Cup", category="sports")
    asset = with_asset(first)
    mark_encoded(asset)
    commands.publish_release(actor=None, release_id=first.pk)
    published(studio=studio, title="Cup", kind="live_event", starts_at=NOW + 9 * HOUR)
    running = published(studio=studio, title="Cup", kind="live_event", starts_at=NOW - HOUR)
    published(title="Other", category="sports")

    page = queries.title_page(slug="cup")

    assert page is not None
    assert (page.featured, page.video, len(page.releases)) == (first, asset, 3)
    assert (page.live_event, page.is_live) == (running, True)
    assert page.topics[0] == ("title:cup", "Cup")
    assert names(page.related) == ["Other"]


def test_search_finds_names_headlines_studios_and_synopses() -> None:
    studio, owner = a_studio()
    title = commands.create_title(actor=owner, studio=studio, name="Glass", category="kids", synopsis="A 100% diver")
    published(studio=studio, title=title, headline="Harbour")

    for text in ("glass", "HARB", studio.name, "diver", "100%"):
        assert names(queries.search(text=text)) == ["Glass"]
    for text in ("", "  ", "_", "\x00", "nothing"):
        assert queries.search(text=text) == []


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (queries.home_rails, 2),
        (queries.hero, 2),
        (lambda: queries.browse(category="movies"), 2),
        (lambda: queries.search(text="Title"), 2),
        (lambda: queries.title_page(slug="one"), 4),
    ],
)
def test_viewers_pages_need_as_many_queries_for_many_titles_as_for_one(
    query: Callable[[], Any], count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    published(title="One")
    for _ in range(6):
        release = a_draft()
        Title.objects.filter(pk=release.title_id).update(backdrop="backdrops/x.webp")
        mark_encoded(with_asset(release))
        commands.publish_release(actor=None, release_id=release.pk)

    with django_assert_num_queries(count):
        query()


def test_a_studio_sees_its_numbers_and_no_one_elses() -> None:
    studio, owner = a_studio()
    a_draft(studio)
    published(studio=studio)
    published()

    overview = studio_queries.studio_overview(user=owner, slug=studio.slug)

    assert (overview.drafts, overview.published, overview.titles, len(overview.latest)) == (1, 1, 2, 2)
    assert [member.studio for member in studio_queries.studios_of(user=owner)] == [studio]


@pytest.mark.parametrize("count", [1, 7])
def test_studio_pages_need_as_many_queries_for_many_releases_as_for_one(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    studio, owner = a_studio()
    for _ in range(count):
        with_asset(a_draft(studio))

    with django_assert_num_queries(5):
        overview = studio_queries.studio_overview(user=owner, slug=studio.slug)
        assert all(release.asset and release.title.studio.name for release in overview.latest)
    with django_assert_num_queries(3):
        releases = studio_queries.studio_releases(user=owner, slug=studio.slug, state="draft")
        assert len([release.title.name for release in releases]) == count
    with django_assert_num_queries(3):
        assert len(studio_queries.studio_titles(user=owner, slug=studio.slug)) == count


def test_a_release_is_shown_with_its_history_and_what_the_role_allows() -> None:
    release = published()
    for role, may in (("editor", (False, False)), ("publisher", (True, True))):
        detail = studio_queries.release_detail(user=a_member(release.title.studio, role), release_id=release.pk)
        assert (detail.may_edit, detail.may_publish) == may
        assert [event.type for event in detail.history] == ["release.drafted", "release.published"]


def test_strangers_and_wrong_addresses_are_refused_by_name() -> None:
    release = a_draft()
    slug = Studio.objects.get().slug

    for query in (studio_queries.studio_overview, studio_queries.studio_releases, studio_queries.studio_team):
        with pytest.raises(NotAllowed):
            query(user=a_user(), slug=slug)
        with pytest.raises(NotFound):
            query(user=a_user(), slug="none")
    with pytest.raises(NotAllowed):
        studio_queries.release_detail(user=a_user(), release_id=release.pk)
    with pytest.raises(NotFound):
        studio_queries.release_detail(user=a_user(), release_id=uuid4())
