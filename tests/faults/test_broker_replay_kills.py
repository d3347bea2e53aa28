"""A replay of many dead letters, killed in the middle: the next run does the rest, and nothing happens twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from broker.dead_letter_filter import Filter
from tests.support import broker_app
from tests.support.broker_app import effects, handle_all, publish_now, relay_all, sample, wait_until
from tests.support.broker_processes import ROOT

COUNT = 100


def test_a_replay_of_many_that_is_killed_is_finished_by_the_next(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    with broker_app.installed(tmp_path):
        publish_now(*(sample(n, do="fail-once", where="atmost") for n in range(COUNT)))
        relay_all()
        handle_all("atmost")
        command = [sys.executable, str(ROOT / "manage.py"), "broker_dead_letters", "replay", "--all"]
        environment = process_environment | {
            "DJANGO_SETTINGS_MODULE": "tests.support.broker_settings",
            broker_app.MARKS: str(tmp_path),
        }
        # Given a replay that is killed when it has done some
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as first:
            wait_until(lambda: len(effects("atmost")) >= 3, seconds=30)
            os.kill(first.pid, signal.SIGKILL)
        assert 0 < Filter().letters().count() < COUNT

        # When the same command runs again, Then each has had its effect once
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert " 0 failed" in ended.stdout
        assert not Filter().letters().exists()
        assert sorted(effects("atmost")) == list(range(COUNT))
