"""Who may open and do what on pages: each refusal has a page and changes nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.clock import database_now
from accounts.commands import create_api_token
from accounts.models import User
from catalog.commands import publish_release
from catalog.models import Release, Studio
from notifications.commands import subscribe
from notifications.queries import subscriptions_of
from tests.support.catalog import a_draft, a_member, a_studio, a_user

from .notifications_support import a_viewer

pytestmark = pytest.mark.django_db


def signed_in(user: User, **options: bool) -> Client:
    client = Client(**options)  # type: ignore[arg-type]  # keywords of a request's environment, and this one option
    client.force_login(user)
    return client


def pages_of(studio: Studio, release: Release) -> Iterator[str]:
    for page in ("", "releases/", "releases/new/", "titles/", "titles/new/", "analytics/", "team/", "tokens/"):
        yield f"/studio/{studio.slug}/{page}"
    for page in ("", "asset/", "publishing/"):
        yield f"/studio/{studio.slug}/releases/{release.pk}/{page}"


def test_every_page_of_a_studio_sends_guests_to_sign_in_and_refuses_strangers() -> None:
    studio, owner = a_studio()
    release = a_draft(studio)
    stranger, guest = signed_in(a_user()), Client()
    for page in pages_of(studio, release):
        assert guest.get(page).headers["Location"].startswith("/accounts/login/?next=/studio/"), page
        assert stranger.get(page).status_code == 403, page
        assert signed_in(owner).get(page).status_code == 200, page


def test_a_studio_or_release_that_does_not_exist_is_not_found() -> None:
    studio, owner = a_studio()
    client = signed_in(owner)
    assert client.get("/studio/nobody/").status_code == 404
    assert client.get(f"/studio/{studio.slug}/releases/{uuid4()}/").status_code == 404
    assert client.get(f"/studio/{studio.slug}/titles/nothing/").status_code == 404


def test_a_release_cannot_be_reached_through_another_studios_address() -> None:
    mine, owner = a_studio()
    theirs = a_draft(a_studio(owner)[0])
    client = signed_in(owner)
    address = f"/studio/{mine.slug}/releases/{theirs.pk}/"
    assert client.get(address).status_code == 404
    assert client.post(f"{address}publish/").status_code == 404
    theirs.refresh_from_db()
    assert theirs.state == Release.State.DRAFT


@pytest.mark.parametrize("step", ["publish", "schedule", "recall"])
def test_an_editor_cannot_publish_schedule_or_recall(step: str) -> None:
    studio, _ = a_studio()
    release = a_draft(studio)
    editor = signed_in(a_member(studio, "editor"))
    answer = editor.post(f"/studio/{studio.slug}/releases/{release.pk}/{step}/", {"at": "2090-01-01T10:00"})
    assert answer.status_code == 403
    assert b"does not allow you" in answer.content
    release.refresh_from_db()
    assert release.state == Release.State.DRAFT


def test_publishing_twice_says_so_and_changes_nothing() -> None:
    studio, owner = a_studio()
    release = a_draft(studio)
    publish_release(release_id=release.pk, actor=owner)
    address = f"/studio/{studio.slug}/releases/{release.pk}/publish/"
    answer = signed_in(owner).post(address, follow=True)
    assert b"Nothing was changed." in answer.content
    release.refresh_from_db()
    assert (release.state, release.version) == (Release.State.PUBLISHED, 2)


def test_only_owners_change_the_team() -> None:
    studio, owner = a_studio()
    editor, newcomer = a_member(studio, "editor"), a_user()
    values = {"email": newcomer.email, "role": "owner"}
    assert signed_in(editor).post(f"/studio/{studio.slug}/team/", values).status_code == 403
    assert not studio.members.filter(user=newcomer).exists()
    assert signed_in(owner).post(f"/studio/{studio.slug}/team/", values).status_code == 302
    assert studio.members.get(user=newcomer).role == "owner"


def test_nobody_revokes_anothers_token() -> None:
    studio, owner = a_studio()
    token, _ = create_api_token(user=owner, name="mine", studio_slug=studio.slug)
    member = signed_in(a_member(studio, "publisher"))
    assert member.post(f"/studio/{studio.slug}/tokens/{token.pk}/revoke/").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_a_write_without_the_csrf_token_is_refused_with_a_page_of_ours() -> None:
    studio, owner = a_studio()
    release = a_draft(studio)
    answer = signed_in(owner, enforce_csrf_checks=True).post(f"/studio/{studio.slug}/releases/{release.pk}/publish/")
    assert answer.status_code == 403
    assert b"This page was open for too long" in answer.content


@pytest.mark.parametrize(
    "values",
    [
        {"topic": "nonsense", "following": "on"},
        {"topic": "viewer:1", "following": "on"},
        {"topic": "category:movies", "following": "on", "kinds": "gossip"},
        {"following": "on"},
    ],
)
def test_following_what_cannot_be_followed_is_refused(values: dict[str, str]) -> None:
    viewer = a_viewer()
    assert signed_in(viewer).post("/notifications/fragments/follow/", values).status_code == 400
    assert subscriptions_of(viewer_id=viewer.pk) == {}


def test_following_with_kinds_and_leaving_again() -> None:
    viewer = a_viewer()
    client, address = signed_in(viewer), "/notifications/fragments/follow/"
    answer = client.post(address, {"topic": "category:movies", "following": "on", "kinds": ["premiere", "episode"]})
    assert answer.headers["HX-Trigger"] == "follow-changed"
    assert subscriptions_of(viewer_id=viewer.pk)["category:movies"].kinds == ("premiere", "episode")
    client.post(address, {"topic": "category:movies", "following": "on"})  # the last kind was taken away
    assert subscriptions_of(viewer_id=viewer.pk) == {}


def test_muting_for_some_hours_goes_by_the_databases_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic="category:movies")
    client = signed_in(viewer)
    monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC) + timedelta(minutes=-30))
    client.post("/notifications/mute/", {"topic": "category:movies", "hours": "8"})

    until = subscriptions_of(viewer_id=viewer.pk)["category:movies"].muted_until
    assert until is not None
    assert timedelta(hours=7, minutes=59) < until - database_now() <= timedelta(hours=8)

    client.post("/notifications/mute/", {"topic": "category:movies", "hours": "0"})
    assert subscriptions_of(viewer_id=viewer.pk)["category:movies"].muted_until is None


@pytest.mark.parametrize(
    "values", [{"hours": "8"}, {"topic": "category:movies", "hours": "7"}, {"topic": "nonsense", "hours": "8"}]
)
def test_muting_nonsense_is_refused(values: dict[str, str]) -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic="category:movies")
    assert signed_in(viewer).post("/notifications/mute/", values).status_code == 400
    assert subscriptions_of(viewer_id=viewer.pk)["category:movies"].muted_until is None


@pytest.mark.parametrize(
    "values", [{"ids": "one"}, {"ids": "-1"}, {"positions": "[1]"}, {"positions": "{"}, {"positions": '{"a": -1}'}]
)
def test_marking_nonsense_as_read_is_refused(values: dict[str, str]) -> None:
    assert signed_in(a_viewer()).post("/notifications/read/", values).status_code == 400


def test_every_page_forbids_inline_scripts_and_styles() -> None:
    policy = signed_in(a_viewer()).get("/notifications/").headers["Content-Security-Policy"]
    assert "script-src 'self';" in f"{policy};"
    assert "unsafe" not in policy
