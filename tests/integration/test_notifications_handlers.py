"""What becomes of the events of releases."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from broker.messages import Message
from notifications.commands import subscribe
from notifications.handlers import on_release_published, on_release_recalled, on_release_updated
from notifications.insight.queries import insight_of
from notifications.models import Notification, Posting, Topic
from notifications.queries import inbox

from .notifications_support import MOVIES, a_viewer

pytestmark = pytest.mark.django_db
RELEASE = "3f0a2a52-0f5e-4b0e-9a63-1f6c4a1b7c11"


def event(type_: str, *, version: int = 1, **changes: Any) -> Message:
    data = {
        "release_id": RELEASE,
        "version": version,
        "kind": "premiere",
        "headline": "The Long Night",
        "synopsis": "A lighthouse.",
        "title_slug": "the-long-night",
        "title_name": "The Long Night",
        "title_type": "film",
        "category": "movies",
        "category_label": "Movies",
        "studio_slug": "aurora",
        "studio_name": "Aurora",
        "maturity": 12,
        "season": None,
        "episode": None,
        "url": "/titles/the-long-night/",
        "image": "/media/posters/x.jpg",
        "published_at": "2090-03-01T20:00:00Z",
        "starts_at": None,
        "expires_at": None,
        "languages": [],
        "changed_at": "2090-03-01T20:00:00Z",
        "windows": [],
        **changes,
    }
    return Message(type=type_, data=data, key=f"release:{RELEASE}", exchange="catalog", routing_key=type_)


def outbox() -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM broker_outboxmessage WHERE type = 'notification.posted' ORDER BY id")
        return [json.loads(body) for (body,) in cursor.fetchall()]


def test_a_release_is_posted_to_its_category_its_studio_and_its_title() -> None:
    on_release_published(event("release.published"))

    notification = Notification.objects.get()
    assert (notification.title, notification.body) == ("Premiere: The Long Night", "The Long Night. A lighthouse.")
    assert dict(Topic.objects.values_list("name", "label")) == {
        MOVIES: "Movies",
        "studio:aurora": "Aurora",
        "title:the-long-night": "The Long Night",
    }
    assert Posting.objects.filter(notification=notification, seq=1).count() == 3


def test_the_posting_is_published_with_its_places_and_its_cause() -> None:
    cause = event("release.published", kind="live_event", starts_at="2026-03-02T18:30:00Z")

    on_release_published(cause)

    (body,) = outbox()
    posted = Notification.objects.get()
    assert body["data"] == {
        "notification_id": posted.pk,
        "revision": 1,
        "positions": {MOVIES: 1, "studio:aurora": 1, "title:the-long-night": 1},
    }
    assert UUID(body["causationid"]) == cause.id
    assert posted.title == "Live: The Long Night"
    assert posted.body == "The Long Night, 2 March, 18:30 UTC. A lighthouse."


def test_the_same_event_twice_is_one_notification() -> None:
    on_release_published(event("release.published"))
    on_release_published(event("release.published"))

    assert Posting.objects.count() == 3
    assert len(outbox()) == 1


def test_an_update_changes_the_card_and_moves_with_the_category() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    on_release_published(event("release.published"))

    on_release_updated(
        event(
            "release.updated",
            version=2,
            kind="episode",
            season=2,
            episode=3,
            category="tv-shows",
            category_label="TV Shows",
        )
    )

    (entry,) = inbox(viewer_id=viewer.pk).entries
    assert entry.revision == 2
    assert entry.title == "New episode: The Long Night"
    assert entry.body == "The Long Night, season 2, episode 3. A lighthouse."
    assert Topic.objects.get(name="category:tv-shows").head == 1


def test_a_recall_says_so_and_why_and_a_late_replay_changes_nothing() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    on_release_published(event("release.published"))

    on_release_recalled(event("release.recalled", version=3, reason="Rights."))
    on_release_updated(event("release.updated", version=2))

    (entry,) = inbox(viewer_id=viewer.pk).entries
    assert (entry.recalled, entry.title) == (True, "Withdrawn: The Long Night")
    assert entry.body == "Aurora has withdrawn this release. Rights."


def test_an_update_of_what_was_never_posted_posts_it() -> None:
    on_release_updated(event("release.updated", version=2, release_id=str(uuid4())))

    assert Notification.objects.get().revision == 1


def test_a_long_synopsis_is_cut_at_a_word() -> None:
    on_release_published(event("release.published", synopsis="word " * 200))

    body = Notification.objects.get().body
    assert body.endswith("word…")
    assert len(body) < 330


def an_episode(number: int, type_: str = "release.published", **changes: Any) -> Message:
    """One of season 2, a minute after the one before."""
    facts: dict[str, Any] = {"kind": "episode", "season": 2, "episode": number, "headline": f"Part {number}"}
    facts |= {"release_id": str(UUID(int=number)), "published_at": f"2090-03-01T20:{number:02}:00Z"}
    return event(type_, **facts | changes)


def test_a_season_drop_is_one_card_that_counts_up_and_down() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic=MOVIES)

    def card() -> tuple[int, str, str]:
        (entry,) = inbox(viewer_id=viewer.pk).entries
        return entry.revision, entry.title, entry.body

    on_release_published(an_episode(3))
    assert card()[:2] == (1, "New episode: Part 3")
    on_release_published(an_episode(4))
    on_release_published(an_episode(4))
    assert card() == (2, "2 new episodes: The Long Night", "The Long Night, season 2, episodes 3 to 4.")
    on_release_published(an_episode(6))
    assert card() == (3, "3 new episodes: The Long Night", "The Long Night, season 2, episodes 3, 4, 6.")
    for number, revision in ((3, 4), (6, 5), (4, 6)):
        on_release_recalled(an_episode(number, "release.recalled", version=2, reason=""))
        assert card()[0] == revision
    assert card()[1] == "Withdrawn: Part 4"
    assert Notification.objects.count() == 1
    assert insight_of(subject=f"release:{UUID(int=6)}").notification_id == Notification.objects.get().pk


def test_one_that_is_left_of_a_drop_has_a_card_of_its_own_words() -> None:
    on_release_published(an_episode(1))
    on_release_published(an_episode(2))
    on_release_recalled(an_episode(1, "release.recalled", version=2, reason=""))

    assert (Notification.objects.get().title, Notification.objects.get().recalled) == ("New episode: Part 2", False)


@pytest.mark.parametrize(
    "other",
    [
        {"published_at": "2090-03-01T21:02:00Z"},
        {"title_slug": "another"},
        {"languages": ["de"]},
        {"maturity": 16},
        {"kind": "premiere"},
    ],
)
def test_what_is_of_another_hour_title_audience_or_kind_has_its_own_card(other: dict[str, Any]) -> None:
    on_release_published(an_episode(1))
    on_release_published(an_episode(2, **other))

    assert Notification.objects.count() == 2
