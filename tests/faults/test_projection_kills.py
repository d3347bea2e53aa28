"""A rebuild that is killed in the middle: the live table stays as it was, and the next run finishes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from broker.processes import dying_with_parent
from catalog.commands import publish_release
from catalog.models import Release
from tests.support.broker_app import wait_until
from tests.support.broker_processes import kill
from tests.support.catalog import a_draft, a_studio

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, str(ROOT / "manage.py"), "rebuild_projection", "releases"]
SHADOW = "catalog_release__shadow"
DRAFTS = 4_000
COPY_DRAFT = """
    INSERT INTO broker_storedevent (aggregate, version, type, data, metadata)
    SELECT 'release:' || gen_random_uuid(), version, type, data, metadata
    FROM broker_storedevent, generate_series(1, %s) WHERE type = 'release.drafted'
"""
SOMEBODY_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = %s::regclass AND NOT granted)"


def start(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        COMMAND,
        env=environment,
        cwd=ROOT,
        preexec_fn=dying_with_parent(),  # noqa: PLW1509 - it takes no lock
    )


def fetched(statement: str, *values: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]


def the_shadow_is_there() -> bool:
    return SHADOW in connection.introspection.table_names()


def is_being_filled() -> bool:
    return the_shadow_is_there() and 0 < fetched(f"SELECT count(*) FROM {SHADOW}") < DRAFTS


def waits_for(table: str) -> Callable[[], bool]:
    return lambda: bool(fetched(SOMEBODY_WAITS, table))


@contextmanager
def locked(table: str, mode: str) -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN {mode} MODE")
        yield


@pytest.mark.parametrize(
    ("table", "reached"),
    [
        ("accounts_user", is_being_filled),
        ("catalog_title", waits_for("catalog_title")),
        ("catalog_release", waits_for("catalog_release")),
    ],
    ids=["filling", "adding keys", "swapping"],
)
def test_a_rebuild_killed_in_the_middle_leaves_the_live_table_and_the_next_one_finishes(
    table: str, reached: Callable[[], bool], process_environment: dict[str, str]
) -> None:
    studio, _ = a_studio()
    release = a_draft(studio)
    with connection.cursor() as cursor:
        cursor.execute(COPY_DRAFT, [DRAFTS])
    stored = list(Release.objects.values())
    # Given a rebuild that has come so far
    with locked(table, "ROW EXCLUSIVE"):
        rebuild = start(process_environment)
        wait_until(reached, seconds=60, what="a rebuild that has come so far")
        # When it is killed there
        kill(rebuild)
        assert the_shadow_is_there()
    assert list(Release.objects.values()) == stored

    # Then the next one finishes, with what was published meanwhile
    publish_release(actor=None, release_id=release.pk)
    assert start(process_environment).wait(60) == 0
    assert not the_shadow_is_there()
    assert Release.objects.get(pk=release.pk).state == "published"
    assert Release.objects.count() == DRAFTS + 1
