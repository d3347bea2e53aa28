"""What a second start asks the database before it sets Django up to prepare it."""

import pytest
from django.db import connection

from ott.embedded.ports import free_port
from ott.embedded.prepared import is_prepared, remember_prepared

KEY = "the key of today"


@pytest.fixture
def url(process_environment: dict[str, str]) -> str:
    """The test database's address."""
    return process_environment["DATABASE_URL"]


def test_a_database_is_prepared_once_that_was_remembered(url: str) -> None:
    assert not is_prepared(url, secret_key=KEY, seed=False)

    remember_prepared(url, secret_key=KEY, seed=False)

    assert is_prepared(url, secret_key=KEY, seed=False)
    assert not is_prepared(url, secret_key=KEY, seed=True)


def test_a_migration_by_somebody_else_is_looked_at(url: str) -> None:
    remember_prepared(url, secret_key=KEY, seed=True)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE name = '0001_initial' AND app = 'broker' RETURNING applied")
        (applied,) = cursor.fetchone()

        is_still_prepared = is_prepared(url, secret_key=KEY, seed=True)

        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('broker', '0001_initial', %s)", [applied]
        )
    assert not is_still_prepared


def test_changed_migrations_are_to_be_made(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remember_prepared(url, secret_key=KEY, seed=True)
    monkeypatch.setattr("ott.embedded.prepared.LOCK_FILE", "pyproject.toml")
    assert not is_prepared(url, secret_key=KEY, seed=True)


def test_under_another_key_secrets_are_to_be_sealed_anew(url: str) -> None:
    remember_prepared(url, secret_key=KEY, seed=True)
    assert not is_prepared(url, secret_key="the key of tomorrow", seed=True)


def test_a_database_that_cannot_be_asked_is_not_prepared() -> None:
    assert not is_prepared(f"postgres://nobody@127.0.0.1:{free_port()}/none", secret_key=KEY, seed=True)
