"""BROKER_STREAMS: one setting, and what is said of a wrong one."""

import pytest

from broker.streams import kinds
from broker.streams.kinds import problem_with


@pytest.mark.parametrize(
    "setting",
    [
        "postgres",
        "redis://:secret@cache:6379/1",
        "rediss://cache",
        "kafka://one:9092,two:9092?security.protocol=SSL",
        "amqp://user:secret@rabbit/",
        "amqps://rabbit",
    ],
)
def test_an_address_of_a_known_engine_is_right(setting: str) -> None:
    assert problem_with(setting) is None


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("pigeon://user:secret@loft", "no stream engine 'pigeon'"),
        ("", "no stream engine ''"),
        ("redis", "no host: redis://"),
        ("kafka://", "no host: kafka://"),
        ("postgres://user:secret@host/db", "DATABASE_URL"),
    ],
)
def test_a_wrong_address_is_explained_without_its_password(setting: str, words: str) -> None:
    problem = problem_with(setting)

    assert problem is not None
    assert words in problem
    assert "secret" not in problem


def test_a_missing_client_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "find_spec", lambda name: None)

    assert "install the extra `kafka`" in (problem_with("kafka://host") or "")
