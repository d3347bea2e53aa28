"""The report of wrong settings: everything at once, in words, without a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ott import settings_report
from ott.embedded.processes import PROJECT

KEPT = ("PATH", "HOME", "LANG")


def start(tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start a command with these settings and no others."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {"OTT_DATA_DIR": str(tmp_path), **settings}
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def test_everything_that_is_wrong_is_listed_at_once(tmp_path: Path) -> None:
    run = start(tmp_path, OTT_PORT="eighty", BROKER_STREAMS="pigeon://user:secret@loft", DATABASE_URL="mysql://here/db")

    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    for words in ("OTT_PORT: ", "no stream engine 'pigeon'", "only PostgreSQL", "REDIS_URL is missing: run `make up`"):
        assert words in run.stderr
    assert "secret" not in run.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("OTT_LOG_LEVEL", "loud"), ("OTT_TRIAL_DAYS", "-1"), ("OTT_LIVE_TICK_SECONDS", "0")]
)
def test_a_value_out_of_its_range_is_named(tmp_path: Path, name: str, value: str) -> None:
    run = start(tmp_path, **{name: value})

    assert f"{name}: " in run.stderr
    assert "Traceback" not in run.stderr


def test_an_unknown_transport_of_celery_is_named(tmp_path: Path) -> None:
    run = start(tmp_path, CELERY_BROKER_URL="pigeon://user:secret@loft")

    expected = "CELERY_BROKER_URL: there is no transport 'pigeon'; there is redis, rediss, amqp, amqps, sqs."
    assert expected in run.stderr
    assert "secret" not in run.stderr


def test_a_transport_whose_library_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_report, "find_spec", lambda _: None)

    assert list(settings_report._celery("sqs://key:secret@")) == [
        "CELERY_BROKER_URL: Amazon SQS needs what the extra 'sqs' installs."
    ]
    assert list(settings_report._celery("amqp://here")) == []


def test_missing_servers_come_with_the_way_out(tmp_path: Path) -> None:
    run = start(tmp_path)

    assert "DATABASE_URL is missing: run `make up`, or set DATABASE_URL and REDIS_URL." in run.stderr
    assert "OTT_SECRET_KEY is missing" in run.stderr


def test_production_wants_everything_said_explicitly(tmp_path: Path) -> None:
    run = start(tmp_path, OTT_PRODUCTION="1", OTT_DEBUG="1")

    for name in ("OTT_SECRET_KEY", "OTT_ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL"):
        assert f"{name} must be given explicitly" in run.stderr
    assert "OTT_DEBUG must be off" in run.stderr


@pytest.mark.parametrize("left", ["", "{", '{"database_url": "postgres://x/y", "pid": 0}', '{"surprise": 1}'])
def test_what_a_killed_run_left_behind_is_not_believed(tmp_path: Path, left: str) -> None:
    (tmp_path / "servers.json").write_text(left.replace('"pid": 0', f'"pid": {ended_process()}'))

    assert "DATABASE_URL is missing" in start(tmp_path).stderr


def ended_process() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid
