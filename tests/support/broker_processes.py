"""Real broker and worker processes on the test's own database, to be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection

from broker.models import GroupPartition, Lease
from broker.processes import dying_with_parent
from broker.relay import LEASE
from ott.embedded.processes import COMMANDS

from .broker_app import wait_until

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0  # in which a process has read the whole application, on a machine that is busy with other tests


class Processes:
    """Starts, stops and kills them; each test gets its own."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment = environment | {"DJANGO_SETTINGS_MODULE": "tests.support.broker_settings"}
        self.log = folder / "processes.log"
        self.running: list[subprocess.Popen[bytes]] = []

    def broker(self) -> subprocess.Popen[bytes]:
        """A broker process that has joined its groups."""
        process = self.start_broker()
        self.log_says("broker_started", times=self._count("broker_started") + 1)
        return process

    def worker(self) -> subprocess.Popen[bytes]:
        """A Celery worker with one child process."""
        options = ("--concurrency=1", "--queues=default", "--without-gossip", "--without-mingle", "--loglevel=info")
        process = self._start("-m", "celery", "--app=ott.celery", "worker", *options)
        self.log_says("ready.")
        return process

    def start_broker(self) -> subprocess.Popen[bytes]:
        """A broker process that may not have joined yet, or be dead already."""
        return self._start(str(ROOT / "manage.py"), "run_broker")

    def publisher(self, *, keys: int, pause: float) -> subprocess.Popen[bytes]:
        """A process that publishes until it is killed; see `tests/support/publisher.py`."""
        return self._start("-m", "tests.support.publisher", str(keys), str(pause))

    def product(self, name: str) -> subprocess.Popen[bytes]:
        """A worker as `make up` starts it; it may not listen yet."""
        return self._start(*COMMANDS[name][1:])

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=dying_with_parent(),  # noqa: PLW1509 - it takes no lock
            )
        self.running.append(process)
        return process

    def log_says(self, text: str, *, times: int = 1) -> None:
        wait_until(lambda: self._count(text) >= times, seconds=START_SECONDS, what=f"{text!r} in the log")

    def _count(self, text: str) -> int:
        return self.log.read_text(errors="replace").count(text) if self.log.exists() else 0

    def kill_all(self) -> None:
        """End every process with its children, and the sessions that they leave."""
        for process in self.running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        time.sleep(0.05)


def kill(process: subprocess.Popen[bytes]) -> None:
    """`kill -9`."""
    process.kill()
    process.wait()


def owner_pid(group: str, partition: int) -> int:
    """The process that owns a partition; 0 when nobody does."""
    return _pid(GroupPartition.objects.filter(group=group, partition=partition).values_list("owner", flat=True).first())


def relay_pid() -> int:
    """The process that holds the relay's lease; 0 when nobody does."""
    return _pid(Lease.objects.filter(name=LEASE).values_list("owner", flat=True).first())


def _pid(member: str | None) -> int:
    return int(member.split(":")[1]) if member else 0


@contextmanager
def real_processes(environment: dict[str, str], folder: Path) -> Iterator[Processes]:
    """Processes for a test, with a Redis that holds nothing of an earlier one, nor of this one for the next."""
    processes = Processes(environment, folder)
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        client.flushall()
        try:
            yield processes
        finally:
            processes.kill_all()
            client.flushall()
            if processes.log.exists():
                sys.stdout.write(processes.log.read_text(errors="replace"))  # shown when the test failed
