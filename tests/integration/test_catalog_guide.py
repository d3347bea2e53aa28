"""The programme guide: transformed, stored as Avro, decoded, handled, served."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from broker.models import DeadLetter, StreamMessage
from broker.replay import replay
from catalog.commands import edit_release, publish_release, recall_release
from catalog.models import Listing, Release
from tests.support.broker_app import drain, handle_all, relay_all
from tests.support.catalog import a_draft

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def published(**details: Any) -> Release:
    return publish_release(release_id=a_draft(**details).pk, actor=None)


def guide(query: str = "") -> list[dict[str, Any]]:
    answer = Client().get(f"/api/v1/guide{query}")
    assert answer.status_code == 200
    listings: list[dict[str, Any]] = answer.json()
    return listings


def test_a_published_release_is_in_the_guide_in_the_guides_own_words() -> None:
    release = published(title="Low Tide", headline="The tide turns")
    drain()

    (listing,) = guide()
    assert (listing["title"], listing["studio"]) == ("Low Tide", release.title.studio.name)
    assert listing["available_from"] <= listing["changed_at"]
    assert "synopsis" not in listing
    told, stored = (StreamMessage.objects.get(stream=name) for name in ("releases", "listings"))
    assert (stored.body["type"], stored.body["datacontenttype"]) == ("listing.added", "avro/binary")
    assert (told.body["id"], told.body["type"], told.position) == (
        stored.body["id"],
        "release.published",
        stored.position,
    )


def test_changes_and_recalls_are_followed() -> None:
    changed, recalled = published(), published()
    edit_release(actor=None, release_id=changed.pk, changes={"headline": "Another"})
    recall_release(actor=None, release_id=recalled.pk)
    drain()

    (listing,) = guide()
    assert (listing["headline"], listing["version"]) == ("Another", 3)
    assert listing["changed_at"] > listing["available_from"]
    assert Listing.objects.get(release_id=recalled.pk).is_withdrawn


def test_the_guide_can_be_read_by_category_and_page() -> None:
    for category in ("movies", "kids", "kids"):
        published(category=category)
    drain()

    assert {listing["category"] for listing in guide("?category=kids")} == {"kids"}
    assert len(guide("?limit=2")) == 2
    assert Client().get("/api/v1/guide?category=opera").status_code == 422


def spoil(change: dict[str, Any]) -> None:
    """Change the stored message in the stream."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE broker_streammessage SET body = body || %s::jsonb WHERE stream = 'listings'", [json.dumps(change)]
        )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"data_base64": "AAAA"}, "data_base64: is not Avro in the single-object encoding"),
        ({"data_base64": "%"}, "data_base64: cannot be read"),
        ({"datacontenttype": "text/csv"}, "datacontenttype: cannot be read"),
        ({"schemaversion": 9}, "schemaversion: 'listing.added' version 9 is newer than 1"),
    ],
)
def test_a_stored_message_that_cannot_be_decoded_becomes_a_dead_letter(change: dict[str, Any], problem: str) -> None:
    published()
    relay_all()
    good = StreamMessage.objects.get(stream="listings").body
    spoil(change)
    published()
    relay_all()

    handle_all("guide")

    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.origin) == ("invalid", "group:guide")
    assert problem in letter.error
    assert len(guide()) == 1, "the one after it was handled"
    letter.body = good  # mended
    letter.save()
    replay(dead_letter_id=letter.pk, actor="ada")
    assert len(guide()) == 2
    assert guide()[0]["headline"]


def test_a_message_without_a_shape_for_one_place_goes_to_no_place_and_comes_back_when_that_is_mended() -> None:
    published()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE broker_outboxmessage SET body = body #- '{data,studio_name}'")
    relay_all()

    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.origin) == ("invalid", "exchange:catalog")
    assert "data.studio_name: on the way to 'listings': is missing" in letter.error
    assert not StreamMessage.objects.exists()


def test_version_1_of_a_release_is_upcast_before_it_is_transformed_and_handled() -> None:
    published()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE broker_outboxmessage"
            """ SET body = body #- '{data,changed_at}' || '{"schemaversion": 1, "time": "2026-03-01T12:00:00+00:00"}'"""
        )
    drain()

    assert not DeadLetter.objects.exists()
    (listing,) = guide()
    assert listing["changed_at"] == "2026-03-01T12:00:00Z"
    assert StreamMessage.objects.get(stream="releases").body["schemaversion"] == 1
