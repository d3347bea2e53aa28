"""Commands on releases: who may, what follows, and what is told."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from broker.models import OutboxMessage, StoredEvent
from catalog import commands
from catalog.encoding_commands import record_encoding_failed, report_progress
from catalog.errors import (
    AlreadyPublished,
    EncodingHasFailed,
    IllegalTransition,
    InvalidRelease,
    InvalidUpload,
    NotAllowed,
    NotFound,
    StillEncoding,
    UploadTooLarge,
)
from catalog.models import Asset, Release, StudioMember, Title
from catalog.store import state_of
from tests.support.catalog import (
    a_draft,
    a_member,
    a_studio,
    a_user,
    files_below,
    mark_encoded,
    published_messages,
    types_of_messages,
    upload,
    with_asset,
)

pytestmark = pytest.mark.django_db
SOON = timezone.now() + timedelta(hours=1)
Do = Callable[[User, Release], Any]


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def publish(release: Release) -> Release:
    return commands.publish_release(actor=None, release_id=release.pk)


def snapshot() -> list[Any]:
    """Everything that a refused command must leave as it was."""
    tables = (Release, Asset, Title, StoredEvent, OutboxMessage)
    return [list(table.objects.order_by("pk").values()) for table in tables]


# --- Who may -------------------------------------------------------------------------------------------------------


def edit(actor: User, release: Release) -> None:
    commands.edit_release(actor=actor, release_id=release.pk, changes={"headline": "X"})


def attach(actor: User, release: Release) -> None:
    commands.attach_asset(actor=actor, release_id=release.pk, upload=upload())


def publish_as(actor: User, release: Release) -> None:
    commands.publish_release(actor=actor, release_id=release.pk)


def schedule(actor: User, release: Release) -> None:
    commands.schedule_release(actor=actor, release_id=release.pk, at=SOON)


def recall(actor: User, release: Release) -> None:
    commands.recall_release(actor=actor, release_id=release.pk)


def draft(actor: User, release: Release) -> None:
    commands.draft_release(actor=actor, studio=release.title.studio, title=release.title, kind="premiere")


ROLES = StudioMember.Role


@pytest.mark.parametrize("do", [edit, attach, publish_as, schedule, recall, draft])
def test_a_member_of_another_studio_may_do_nothing_and_changes_nothing(do: Do, media: Path) -> None:
    release, (_, stranger) = a_draft(), a_studio()
    before = snapshot()

    with pytest.raises(NotAllowed, match="not a member"):
        do(stranger, release)

    assert snapshot() == before
    assert files_below(media) == []


@pytest.mark.parametrize("do", [edit, attach, publish_as, schedule, recall, draft])
def test_a_viewer_may_do_nothing(do: Do) -> None:
    release = a_draft()
    before = snapshot()

    with pytest.raises(NotAllowed):
        do(a_user(), release)
    assert snapshot() == before


@pytest.mark.parametrize("do", [draft, edit, attach])
@pytest.mark.parametrize("role", [ROLES.EDITOR, ROLES.PUBLISHER, ROLES.OWNER])
def test_every_member_drafts_and_uploads(do: Do, role: str) -> None:
    release = a_draft()

    do(a_member(release.title.studio, role), release)


@pytest.mark.parametrize("do", [publish_as, schedule])
def test_publishers_and_owners_publish_and_editors_do_not(do: Do) -> None:
    for role in (ROLES.PUBLISHER, ROLES.OWNER):
        release = a_draft()
        do(a_member(release.title.studio, role), release)

    release = a_draft()
    with pytest.raises(NotAllowed, match="editor"):
        do(a_member(release.title.studio, ROLES.EDITOR), release)


@pytest.mark.parametrize("do", [edit, attach, recall])
def test_an_editor_does_not_touch_what_is_published(do: Do) -> None:
    release = publish(a_draft())
    editor = a_member(release.title.studio, ROLES.EDITOR)

    with pytest.raises(NotAllowed):
        do(editor, release)
    do(a_member(release.title.studio, ROLES.PUBLISHER), release)


def test_only_owners_manage_the_team() -> None:
    studio, owner = a_studio()
    publisher = a_member(studio, ROLES.PUBLISHER)

    with pytest.raises(NotAllowed):
        commands.add_studio_member(actor=publisher, studio=studio, user=publisher, role=ROLES.OWNER)
    commands.add_studio_member(actor=owner, studio=studio, user=publisher, role=ROLES.OWNER)

    assert studio.members.get(user=publisher).role == ROLES.OWNER


# --- Drafts --------------------------------------------------------------------------------------------------------


def test_a_name_makes_a_title_and_its_slug_or_name_finds_it_again() -> None:
    studio, owner = a_studio()

    by_name, by_slug, by_other_case = (
        commands.draft_release(actor=owner, studio=studio, title=title, kind="episode", category="tv-shows")
        for title in ("Low Tide", "low-tide", "LOW TIDE")
    )

    assert by_name.title == by_slug.title == by_other_case.title
    assert (by_name.title.slug, by_name.title.type, by_name.headline) == ("low-tide", "series", "Low Tide")


def test_two_studios_may_have_titles_of_one_name() -> None:
    first, second = a_draft(title="Same"), a_draft(title="Same")

    assert first.title.slug == "same"
    assert second.title.slug.startswith("same-")


def test_a_name_without_latin_letters_gets_a_slug_too() -> None:
    assert a_draft(title="千と千尋").title.slug


@pytest.mark.parametrize(
    ("details", "field"),
    [
        ({"title": "New", "category": ""}, "category"),
        ({"category": "gossip"}, "category"),
        ({"kind": "rumour"}, "kind"),
        ({"headline": "x" * 161}, "headline"),
        ({"synopsis": "a\x00b"}, "synopsis"),
        ({"episode": 0}, "episode"),
        ({"starts_at": SOON.replace(tzinfo=None)}, "starts_at"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused_with_its_field(details: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRelease) as refusal:
        a_draft(**details)

    assert refusal.value.extras["field"] == field
    assert not Release.objects.exists()


def test_nothing_is_over_before_it_begins() -> None:
    release = a_draft(starts_at=SOON)
    before = snapshot()

    with pytest.raises(InvalidRelease, match="over before it begins"):
        commands.edit_release(actor=None, release_id=release.pk, changes={"expires_at": SOON})
    assert snapshot() == before
    with pytest.raises(InvalidRelease):
        a_draft(starts_at=SOON, expires_at=SOON - timedelta(hours=1))


def test_an_episode_is_named_after_its_place() -> None:
    assert a_draft(title="Low Tide", kind="episode", season=1, episode=4).headline == "Low Tide: S1 E4"


# --- Publishing ----------------------------------------------------------------------------------------------------


def test_publishing_tells_subscribers_all_that_a_card_needs() -> None:
    release = publish(a_draft(title="The Long Night", synopsis="Dark."))

    (body,) = published_messages()
    assert (body["exchange"], body["routingkey"]) == ("catalog", "release.published.movies")
    assert body["partitionkey"] == body["subject"] == f"release:{release.pk}"
    studio = release.title.studio
    told = {"release_id": str(release.pk), "version": 2, "kind": "premiere", "headline": "The Long Night"}
    told |= {"synopsis": "Dark.", "url": "/titles/the-long-night/", "category_label": "Movies", "image": ""}
    told |= {"studio_slug": studio.slug, "studio_name": studio.name, "maturity": 0, "title_type": "film"}
    assert told.items() <= body["data"].items()
    assert release.published_at is not None
    assert body["data"]["published_at"] == release.published_at.isoformat()


def test_publishing_twice_is_refused_and_tells_once() -> None:
    release = publish(a_draft())

    with pytest.raises(AlreadyPublished):
        publish(release)
    assert types_of_messages() == ["release.published"]


@pytest.mark.django_db(transaction=True)
def test_two_who_publish_at_once_publish_once() -> None:
    release, outcomes = a_draft(), []

    def go() -> None:
        try:
            outcomes.append(publish(release).state)
        except AlreadyPublished:
            outcomes.append("refused")
        connections.close_all()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["published", "refused", "refused", "refused"]
    assert types_of_messages() == ["release.published"]


def test_a_release_whose_video_is_not_ready_is_not_published_and_nothing_changes() -> None:
    release = a_draft()
    asset = with_asset(release)
    for _ in range(2):
        before = snapshot()
        with pytest.raises(StillEncoding):
            publish(release)
        assert snapshot() == before
        report_progress(asset_id=asset.pk, percent=40, rung="240p")

    mark_encoded(asset)
    assert publish(release).state == Release.State.PUBLISHED


def test_a_failed_video_says_why_keeps_the_draft_and_can_be_replaced() -> None:
    release = a_draft(synopsis="Dark.")
    record_encoding_failed(asset_id=with_asset(release).pk, error="This is not a video.")

    release.refresh_from_db()
    assert release.asset is not None
    assert (release.asset.state, release.asset.error) == ("failed", "This is not a video.")
    assert (release.state, release.synopsis) == ("draft", "Dark.")
    with pytest.raises(EncodingHasFailed):
        publish(release)

    mark_encoded(with_asset(release))
    assert publish(release).state == Release.State.PUBLISHED


def test_changes_of_a_published_release_are_told_and_of_a_draft_are_not() -> None:
    release = a_draft()
    commands.edit_release(actor=None, release_id=release.pk, changes={"headline": "First"})
    publish(release)
    commands.edit_release(actor=None, release_id=release.pk, changes={"headline": "Second", "season": 2})
    commands.edit_release(actor=None, release_id=release.pk, changes={"headline": "Second"})
    commands.recall_release(actor=None, release_id=release.pk, reason="Wrong film")

    published, updated, recalled = published_messages()
    assert published["data"]["headline"] == "First"
    assert (updated["type"], updated["data"]["headline"], updated["data"]["season"]) == ("release.updated", "Second", 2)
    assert (recalled["type"], recalled["data"]["reason"]) == ("release.recalled", "Wrong film")
    assert [body["data"]["version"] for body in published_messages()] == [3, 4, 5]


def test_a_first_video_after_the_announcement_is_told_and_a_replacement_is_not() -> None:
    release = publish(a_draft())
    mark_encoded(with_asset(release))
    mark_encoded(with_asset(release))

    assert types_of_messages() == ["release.published", "asset.attached", "release.updated", "asset.attached"]


def test_viewers_keep_the_old_video_while_the_new_one_is_encoded() -> None:
    release = a_draft()
    old = with_asset(release)
    mark_encoded(old)
    publish(release)

    new = with_asset(release)

    release.refresh_from_db()
    assert (release.playable, release.asset) == (old, new)
    mark_encoded(new)
    release.refresh_from_db()
    assert release.playable == new


def test_nothing_happens_to_a_recalled_release_any_more() -> None:
    release = publish(a_draft())
    commands.recall_release(actor=None, release_id=release.pk)
    before = snapshot()

    owner = a_member(release.title.studio, ROLES.OWNER)
    for do in (edit, attach, publish_as, schedule, recall):
        with pytest.raises(IllegalTransition, match=r"recalled"):
            do(owner, release)
    assert snapshot() == before


def test_a_release_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFound):
        commands.publish_release(actor=None, release_id=uuid4())


def test_the_row_is_what_the_events_add_up_to() -> None:
    release = a_draft(starts_at=SOON)
    mark_encoded(with_asset(release))
    commands.schedule_release(actor=None, release_id=release.pk, at=SOON)
    publish(release)

    state = state_of(release.pk)
    release.refresh_from_db()
    assert (release.state, release.version) == (state.stage.value, state.version)
    assert str(release.playable_id) == state.playable
    assert release.starts_at == SOON
    assert release.scheduled_at is None
    versions = StoredEvent.objects.filter(aggregate=f"release:{release.pk}").values_list("version", flat=True)
    assert list(versions.order_by("version")) == [1, 2, 3, 4, 5]


# --- Uploads -------------------------------------------------------------------------------------------------------


def test_an_upload_is_stored_under_a_random_name_and_asks_for_the_encoder(media: Path) -> None:
    release = a_draft()
    asset = commands.attach_asset(actor=None, release_id=release.pk, upload=upload(b"abc", "../../etc/passwd.mp4"))

    (stored,) = files_below(media)
    assert stored.parent == media / "uploads"
    assert "passwd" not in stored.name
    assert asset.source_name == "passwd.mp4"
    (body,) = published_messages()
    assert (body["exchange"], body["routingkey"]) == ("media", "asset.attached")
    assert body["data"] == {"asset_id": str(asset.pk), "release_id": str(release.pk)}


def test_a_file_over_the_limit_is_refused_by_name_and_not_stored(settings: Settings, media: Path) -> None:
    settings.CATALOG_MAX_UPLOAD_BYTES = 10
    release = a_draft()
    before = snapshot()

    with pytest.raises(UploadTooLarge, match="the limit is 10 bytes"):
        with_asset(release, b"x" * 11)

    assert snapshot() == before
    assert files_below(media) == []
    with_asset(release, b"x" * 10)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(InvalidUpload, match="empty"):
        with_asset(a_draft(), b"")


def test_an_upload_that_is_refused_late_leaves_no_file(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    release = a_draft()
    monkeypatch.setattr(commands, "decide_and_store", fail)

    with pytest.raises(RuntimeError):
        with_asset(release)
    assert files_below(media) == []


def test_progress_of_a_replaced_upload_is_not_wanted() -> None:
    release = a_draft()
    old = with_asset(release)
    assert report_progress(asset_id=old.pk, percent=10, rung="240p")
    with_asset(release)

    assert not report_progress(asset_id=old.pk, percent=20, rung="240p")
    assert not mark_encoded(old)


# --- Schedules -----------------------------------------------------------------------------------------------------


def make_due(release: Release) -> None:
    """Schedule it, and let that moment be now."""
    commands.schedule_release(actor=None, release_id=release.pk, at=SOON)
    past = timezone.now() - timedelta(seconds=1)
    Release.objects.filter(pk=release.pk).update(scheduled_at=past)
    StoredEvent.objects.filter(aggregate=f"release:{release.pk}", type="release.scheduled").update(
        data={"at": past.isoformat()}
    )


def test_what_is_due_is_published_and_what_is_not_waits() -> None:
    due, later = a_draft(), a_draft()
    make_due(due)
    commands.schedule_release(actor=None, release_id=later.pk, at=SOON)

    assert commands.publish_due() == 1

    assert [Release.objects.get(pk=release.pk).state for release in (due, later)] == ["published", "scheduled"]
    assert types_of_messages() == ["release.published"]
    assert commands.publish_due() == 0


def test_a_due_release_waits_for_its_video() -> None:
    release = a_draft()
    asset = with_asset(release)
    make_due(release)
    assert commands.publish_due() == 0

    mark_encoded(asset)
    assert commands.publish_due() == 1


def test_a_video_that_fails_makes_a_scheduled_release_a_draft_again() -> None:
    release = a_draft()
    asset = with_asset(release)
    make_due(release)
    record_encoding_failed(asset_id=asset.pk, error="no")

    assert commands.publish_due() == 0
    release.refresh_from_db()
    assert (release.state, release.scheduled_at) == ("draft", None)


def test_a_schedule_can_be_taken_back_and_must_lie_in_the_future() -> None:
    release = a_draft()
    commands.schedule_release(actor=None, release_id=release.pk, at=SOON)
    assert commands.schedule_release(actor=None, release_id=release.pk, at=None).state == "draft"

    for at in (timezone.now() - timedelta(seconds=1), SOON.replace(tzinfo=None)):
        with pytest.raises(InvalidRelease):
            commands.schedule_release(actor=None, release_id=release.pk, at=at)


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_publish_each_due_release_once() -> None:
    releases = [a_draft() for _ in range(6)]
    for release in releases:
        make_due(release)
    counts: list[int] = []

    def beat() -> None:
        counts.append(commands.publish_due())
        connections.close_all()

    threads = [threading.Thread(target=beat) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == 6
    assert types_of_messages() == ["release.published"] * 6
