"""The studio's side of the HTTP API."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.commands import create_api_token
from accounts.models import User
from catalog.encoding_commands import record_encoding_failed
from catalog.models import Release
from tests.support.catalog import a_draft, a_studio, a_user, mark_encoded, upload, with_asset

pytestmark = pytest.mark.django_db
URL = "/api/v1/releases"
DRAFT = {"title": "Low Tide", "category": "tv-shows", "kind": "episode", "synopsis": "Wet.", "season": 1, "episode": 4}


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


class Api:
    """A caller with a token."""

    def __init__(self, user: User, studio_slug: str = "") -> None:
        _, plaintext = create_api_token(user=user, name="test", studio_slug=studio_slug)
        self.client = Client(headers={"Authorization": f"Bearer {plaintext}"})

    def post(self, path: str = "", body: Any = None) -> Any:
        return self.client.post(URL + path, body, content_type="application/json")

    def patch(self, path: str, body: Any) -> Any:
        return self.client.patch(URL + path, body, content_type="application/json")

    def get(self, path: str) -> Any:
        return self.client.get(URL + path)


def refusal(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_a_release_goes_from_draft_to_recall() -> None:
    studio, owner = a_studio()
    api = Api(owner)

    drafted = api.post("", DRAFT)
    assert drafted.status_code == 201
    body = drafted.json()
    assert {**DRAFT, "title": "low-tide"}.items() <= body.items()
    assert (body["state"], body["version"], body["studio"], body["asset"]) == ("draft", 1, studio.slug, None)
    one = f"/{body['id']}"

    changed = api.patch(one, {"headline": "The flood", "season": None})
    assert (changed.status_code, changed.json()["headline"], changed.json()["season"]) == (200, "The flood", None)
    assert changed.json()["episode"] == 4

    published = api.post(f"{one}/publish")
    assert (published.status_code, published.json()["state"]) == (202, "published")
    assert refusal(api.post(f"{one}/publish")) == (409, "already-published")

    recalled = api.post(f"{one}/recall", {"reason": "Wrong tide"})
    assert (recalled.status_code, recalled.json()["state"]) == (202, "recalled")
    assert refusal(api.patch(one, {"headline": "X"})) == (409, "illegal-transition")
    assert api.get(one).json() == recalled.json()


def test_recalling_needs_no_body() -> None:
    _, owner = a_studio()
    api = Api(owner)
    one = f"/{api.post('', DRAFT).json()['id']}"
    api.post(f"{one}/publish")

    assert api.post(f"{one}/recall").status_code == 202


def test_a_video_is_uploaded_and_followed() -> None:
    studio, owner = a_studio()
    release = a_draft(studio)
    api = Api(owner)

    answer = api.client.post(f"{URL}/{release.pk}/asset", {"file": upload(b"abc", "film.mov")})

    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["source_name"]) == ("uploaded", "film.mov")
    assert refusal(api.post(f"/{release.pk}/publish")) == (409, "still-encoding")
    release.refresh_from_db()
    assert release.asset is not None
    mark_encoded(release.asset)
    asset = api.get(f"/{release.pk}").json()["asset"]
    assert (asset["state"], asset["percent"], asset["mp4"]) == ("ready", 100, f"/media/assets/{asset['id']}/video.mp4")
    assert api.post(f"/{release.pk}/publish").status_code == 202


def test_an_upload_without_a_file_or_too_large_is_refused_by_name(settings: Settings) -> None:
    studio, owner = a_studio()
    address = f"{URL}/{a_draft(studio).pk}/asset"
    client = Api(owner).client

    assert refusal(client.post(address, {})) == (422, "invalid-request")
    assert refusal(client.post(address, {"file": upload(b"")})) == (422, "invalid-upload")
    settings.CATALOG_MAX_UPLOAD_BYTES = 2
    assert refusal(client.post(address, {"file": upload(b"abc")})) == (413, "upload-too-large")


def test_a_repeated_upload_with_one_key_is_one_upload() -> None:
    studio, owner = a_studio()
    address = f"{URL}/{a_draft(studio).pk}/asset"
    client = Api(owner).client

    def send(content: bytes) -> Any:
        return client.post(address, {"file": upload(content)}, headers={"Idempotency-Key": "k"})

    assert send(b"abc").json() == send(b"abc").json()
    assert refusal(send(b"abd")) == (422, "idempotency-key-reused")


def test_a_release_is_scheduled_and_unscheduled() -> None:
    studio, owner = a_studio()
    api, one = Api(owner), f"/{a_draft(studio).pk}/schedule"
    at = (timezone.now() + timedelta(hours=2)).replace(microsecond=0)

    scheduled = api.post(one, {"at": at.isoformat()})
    assert (scheduled.status_code, scheduled.json()["state"]) == (202, "scheduled")
    assert scheduled.json()["scheduled_at"].startswith(at.isoformat()[:19])
    assert api.post(one, {"at": None}).json()["state"] == "draft"
    assert refusal(api.post(one, {"at": "2020-01-01T00:00:00Z"})) == (422, "invalid-release")
    assert refusal(api.post(one, {"at": "2090-01-01T00:00:00"})) == (422, "invalid-request")


@pytest.mark.parametrize("action", ["", "/publish", "/recall", "/schedule", "/asset"])
def test_other_people_are_refused_by_name(action: str) -> None:
    release, (_, stranger) = a_draft(), a_studio()
    for user in (a_user("viewer"), stranger):
        api, address = Api(user), f"/{release.pk}{action}"
        if action == "":
            answers = [api.get(address), api.patch(address, {"headline": "X"})]
        elif action == "/asset":
            answers = [api.client.post(URL + address, {"file": upload()})]
        else:
            answers = [api.post(address, {"at": None} if action == "/schedule" else None)]
        assert {refusal(answer) for answer in answers} == {(403, "not-allowed")}
    release.refresh_from_db()
    assert release.version == 1


def test_a_viewer_drafts_nothing() -> None:
    assert refusal(Api(a_user()).post("", DRAFT)) == (403, "not-allowed")


def test_whoever_has_several_studios_says_which() -> None:
    first, owner = a_studio()
    second, _ = a_studio(owner)
    api = Api(owner)

    assert refusal(api.post("", DRAFT)) == (422, "invalid-release")
    assert api.post("", {**DRAFT, "studio": second.slug}).json()["studio"] == second.slug
    assert refusal(api.post("", {**DRAFT, "studio": "none"})) == (404, "not-found")
    assert Api(owner, first.slug).post("", DRAFT).json()["studio"] == first.slug


def test_a_token_for_one_studio_does_nothing_in_another() -> None:
    first, owner = a_studio()
    second, _ = a_studio(owner)
    release = a_draft(second)
    api = Api(owner, first.slug)

    assert refusal(api.get(f"/{release.pk}")) == (403, "not-allowed")
    assert refusal(api.post(f"/{release.pk}/publish")) == (403, "not-allowed")
    assert refusal(api.post("", {**DRAFT, "studio": second.slug})) == (403, "not-allowed")
    release.refresh_from_db()
    assert release.state == Release.State.DRAFT


def test_a_release_that_does_not_exist_is_not_found() -> None:
    _, owner = a_studio()

    assert refusal(Api(owner).get("/00000000-0000-0000-0000-000000000000")) == (404, "not-found")


def test_a_failed_video_says_what_to_do() -> None:
    studio, owner = a_studio()
    release = a_draft(studio)
    record_encoding_failed(asset_id=with_asset(release).pk, error="This is not a video.")

    answer = Api(owner).post(f"/{release.pk}/publish")
    assert refusal(answer) == (409, "encoding-failed")
    assert "Upload another file" in answer.json()["detail"]
    assert Api(owner).get(f"/{release.pk}").json()["asset"]["error"] == "This is not a video."


def test_the_description_names_every_call_and_its_refusals() -> None:
    description = Client().get("/api/v1/openapi.json").json()

    paths = {path.removeprefix("/api/v1") for path in description["paths"] if "releases" in path}
    one = "/releases/{release_id}"
    assert paths == {
        "/releases",
        one,
        *(f"{one}/{name}" for name in ("asset", "insight", "publish", "schedule", "recall")),
    }
    publish = description["paths"][f"/api/v1{one}/publish"]["post"]
    assert {"202", "403", "404", "409"} <= set(publish["responses"])
    assert "already-published" in publish["description"]
