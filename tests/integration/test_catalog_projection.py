"""The table of releases, made anew from events: equal to what the commands wrote, and swapped in while they go on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from accounts.problems import Problem
from broker import leases, rebuild
from broker.errors import CannotRebuild, LeaseLost
from broker.models import StoredEvent
from broker.rebuild import rebuild_projection
from broker.shadow import Shadow
from catalog import commands
from catalog.encoding_commands import record_encoding_failed
from catalog.models import Asset, Release, Title
from tests.support.catalog import a_draft, a_studio, mark_encoded, with_asset

pytestmark = pytest.mark.django_db(transaction=True)
SOON = timezone.now() + timedelta(hours=1)
LEASE = "projection:releases"
STEPS = st.sampled_from(["edit", "attach", "encode", "fail", "schedule", "unschedule", "publish", "recall"])


@pytest.fixture(autouse=True)
def _files(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def step(release: Release, name: str, text: str) -> Any:
    """One command on a release, whether it is legal there or not."""
    assets = list(Asset.objects.filter(release=release))
    changes = {"headline": text, "expires_at": SOON, "season": len(text)}
    steps: dict[str, Callable[[], Any]] = {
        "edit": lambda: commands.edit_release(actor=None, release_id=release.pk, changes=changes),
        "attach": lambda: with_asset(release),
        "encode": lambda: [mark_encoded(asset) for asset in assets],
        "fail": lambda: [record_encoding_failed(asset_id=asset.pk, error=text) for asset in assets],
        "schedule": lambda: commands.schedule_release(actor=None, release_id=release.pk, at=SOON),
        "unschedule": lambda: commands.schedule_release(actor=None, release_id=release.pk, at=None),
        "publish": lambda: commands.publish_release(actor=None, release_id=release.pk),
        "recall": lambda: commands.recall_release(actor=None, release_id=release.pk, reason=text),
    }
    return steps[name]()


def rows() -> list[Any]:
    return list(Release.objects.order_by("pk").values())


def keys_and_indexes() -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'catalog_release'::regclass "
            "UNION SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'catalog_release'"
        )
        return set(cursor.fetchall())


def tables_left_over() -> list[str]:
    return [name for name in connection.introspection.table_names() if name.startswith("catalog_release__")]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories=st.lists(st.lists(st.tuples(STEPS, st.text("abc", min_size=1, max_size=9)), max_size=9), max_size=3))
def test_rebuilt_rows_equal_the_stored_ones_after_any_legal_history(histories: list[list[tuple[str, str]]]) -> None:
    studio, _ = a_studio()
    for history in histories:
        release = a_draft(studio, starts_at=SOON - timedelta(minutes=5))
        for name, text in history:
            with suppress(Problem):  # an illegal step leaves nothing
                step(release, name, text)
    stored = rows()

    rebuilt = rebuild_projection("releases")

    assert (rebuilt.rows, rebuilt.differences.total, rebuilt.swapped) == (len(stored), 0, True)
    assert rows() == stored


def test_the_swapped_table_has_the_keys_and_indexes_of_the_old_one_under_their_names() -> None:
    a_draft()
    before = keys_and_indexes()

    for _ in range(2):
        rebuild_projection("releases")

    assert keys_and_indexes() == before
    assert tables_left_over() == []


def test_a_damaged_table_is_told_of_and_made_right() -> None:
    lost, changed, right = a_draft(), a_draft(), a_draft()
    stored = rows()
    Release.objects.filter(pk=lost.pk).delete()
    Release.objects.filter(pk=changed.pk).update(headline="Nobody said this", version=7)
    surplus = Release.objects.create(title=right.title, headline="Nobody drafted this")
    damaged = rows()

    # A check tells, and changes nothing
    told = StringIO()
    with pytest.raises(CommandError, match="differs from its events"):
        call_command("rebuild_projection", "releases", "--check", stdout=told)
    assert "1 rows missing, 1 too many, 1 different" in told.getvalue()
    assert f"{changed.pk}: version is 7, should be 1; headline is 'Nobody said this'" in told.getvalue()
    assert f"{surplus.pk}: has no events" in told.getvalue()
    assert rows() == damaged

    # A rebuild mends it
    call_command("rebuild_projection", "releases", stdout=StringIO())
    assert rows() == stored
    call_command("rebuild_projection", "releases", "--check", stdout=StringIO())


@contextmanager
def going_on(*works: Callable[[], None]) -> Iterator[list[str]]:
    """Each of `works` in a thread, again and again, until the block ends; yields what went wrong in them."""
    finished, problems = threading.Event(), list[str]()

    def repeat(work: Callable[[], None]) -> None:
        try:
            while not finished.is_set():
                work()
        except Exception as error:  # told by the test's own thread
            problems.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield problems
    finally:
        finished.set()
        for thread in threads:
            thread.join(20)


def test_rebuilding_while_studios_publish_loses_nothing_and_no_reader_misses_a_row() -> None:
    studio, _ = a_studio()
    kept = a_draft(studio)
    made: list[Release] = []

    def publish() -> None:
        release = a_draft(studio, title="The Long Night")
        step(release, "edit", "changed")
        step(release, "publish", "")
        made.append(release)

    def look() -> None:
        assert Release.objects.filter(pk=kept.pk).select_related("title").exists()

    with going_on(publish, publish, look) as problems:
        found = [rebuild_projection("releases").differences.total for _ in range(4)]

    assert problems == []
    assert found == [0] * 4
    assert len(made) > 8
    assert Release.objects.filter(pk__in=[release.pk for release in made], state="published").count() == len(made)
    assert rebuild_projection("releases", swap=False).differences.total == 0


def test_what_is_published_after_the_fill_is_in_the_swapped_table(monkeypatch: pytest.MonkeyPatch) -> None:
    early = a_draft()
    late: list[Release] = []
    compare = rebuild._Rebuild.compare

    def publish_first(self: Any) -> Any:
        differences = compare(self)
        step(early, "publish", "")
        late.append(a_draft())
        return differences

    monkeypatch.setattr(rebuild._Rebuild, "compare", publish_first)
    assert rebuild_projection("releases").differences.total == 0

    assert Release.objects.get(pk=early.pk).state == "published"
    assert Release.objects.filter(pk=late[0].pk).exists()


def test_a_second_rebuild_at_once_is_refused(settings: Settings) -> None:
    settings.BROKER_LEASE_SECONDS = 0.3
    leases.take(LEASE, owner="somebody")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE broker_lease SET expires_at = now() + interval '1 hour'")

    with pytest.raises(CannotRebuild, match="Another rebuild"):
        rebuild_projection("releases")


def test_a_rebuild_that_another_one_took_over_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a_draft()
    stored = rows()
    swap = Shadow.swap

    def taken_over_first(self: Shadow) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE broker_lease SET generation = generation + 1 WHERE name = %s", [LEASE])
        swap(self)

    monkeypatch.setattr(Shadow, "swap", taken_over_first)
    with pytest.raises(LeaseLost):
        rebuild_projection("releases")

    monkeypatch.undo()
    assert rows() == stored
    StoredEvent.objects.filter(version__gt=1).delete()
    assert rebuild_projection("releases").differences.total == 0
    assert tables_left_over() == []


def test_drafts_from_before_their_events_named_the_title_are_given_it_by_the_migration() -> None:
    releases = [a_draft(), a_draft()]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE broker_storedevent SET data = data - 'title'")
        cursor.execute(import_module("catalog.migrations.0002_title_in_drafted_events").SQL)

    drafted = StoredEvent.objects.order_by("id").values_list("data__title", flat=True)
    assert list(drafted) == [release.title_id for release in releases]
    assert rebuild_projection("releases", swap=False).differences.total == 0


def test_a_table_that_others_refer_to_is_refused() -> None:
    with pytest.raises(CannotRebuild, match="catalog_release refers to it"):
        Shadow(Title).create()


def test_a_projection_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(CannotRebuild, match="no projection 'films'; there are: releases"):
        rebuild_projection("films")
