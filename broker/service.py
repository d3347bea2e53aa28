"""The process "broker": a relay, a thread for each consumer group, and what keeps them awake and alive."""

import gc
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

import structlog
from django.conf import settings
from django.db import connection

from . import hints, membership
from .backoff import delay_after
from .current import current_topology
from .errors import StreamsUnavailable
from .groups import GroupRunner, run_group
from .relay import run_relay
from .runs import Runs
from .sessions import is_lost
from .topology import Topology
from .wake import Sender

logger = structlog.get_logger(__name__)

STOP_SECONDS = 4.0
LOOK_SECONDS = 0.1
SWITCH_SECONDS = 0.0005
MAX_RECONNECT_SECONDS = 2.0


class Service:
    """Runs until it is told to stop, or until one of its threads dies."""

    def __init__(self, topology: Topology | None = None) -> None:
        self.topology = topology or current_topology()
        self.member = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._stop = threading.Event()
        self._relay_hint = threading.Event()
        self._group_hints = {group.name: threading.Event() for group in self.topology.groups}
        self._runs = Runs(self._start_group)
        self._is_asked_to_stop = self._has_failed = False

    def stop(self) -> None:
        """Ask for the end; safe in a signal handler, which may interrupt anything, even a lock being taken."""
        self._is_asked_to_stop = True

    def run(self) -> bool:
        """Work until `stop()`; returns whether it ended because of that, and not because a thread died."""
        sys.setswitchinterval(SWITCH_SECONDS)
        _spare_collections()
        logger.info("broker_started", member=self.member, groups=list(self._group_hints))
        threads = [self._start(name, body, self._stop) for name, body in self._bodies().items()]
        for group in self.topology.groups:
            self._runs.begin(group)
        while not self._is_asked_to_stop:
            time.sleep(LOOK_SECONDS)
        self._finish(threads)
        return not self._has_failed

    def _finish(self, threads: list[threading.Thread]) -> None:
        self._stop.set()
        threads = threads + self._runs.end()
        for hint in (self._relay_hint, *self._group_hints.values()):
            hint.set()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        logger.info("broker_stopped", unfinished=[thread.name for thread in threads if thread.is_alive()])

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        sender, stop = Sender(), self._stop
        return {
            "keeper": partial(keep_leases, member=self.member, stop=stop),
            "listener": partial(hints.listen, self._on_hint, stop),
            "wake-ups": partial(sender.run, stop),
            "relay": partial(run_relay, owner=self.member, hint=self._relay_hint, stop=stop, sender=sender),
            "watch": partial(self._runs.watch, stop),
        }

    def _start_group(self, runner: GroupRunner, stop: threading.Event) -> threading.Thread:
        name = runner.group.name

        def body() -> None:
            try:
                run_group(runner, member=self.member, hint=self._group_hints[name], stop=stop)
            except Exception as error:
                if not runner.is_given_up:
                    raise
                logger.info("given_up_handler_ended", group=name, error=str(error))

        return self._start(f"group-{name}", body, stop)

    def _start(self, name: str, body: Callable[[], None], stop: threading.Event) -> threading.Thread:
        thread = threading.Thread(target=self._guarded, args=(name, body, stop), name=name, daemon=True)
        thread.start()
        return thread

    def _on_hint(self, channel: str, payload: str) -> None:
        if channel == hints.OUTBOX:
            self._relay_hint.set()
        for group in self.topology.groups:
            if channel == hints.STREAM and group.stream == payload:
                self._group_hints[group.name].set()

    def _guarded(self, name: str, body: Callable[[], None], stop: threading.Event) -> None:
        try:
            keep_connected(name, body, stop)
        except Exception:
            logger.exception("broker_thread_died", thread=name)
            self._has_failed = True
            self.stop()
        finally:
            connection.close()


def _spare_collections() -> None:
    """Leave what was loaded out of the collector's rounds: each batch of messages would make it look at all of that."""
    gc.collect()
    gc.freeze()


def keep_connected(name: str, body: Callable[[], None], stop: threading.Event) -> None:
    """Run `body`, and again whenever the database or the streams went away, with backoff; other errors are raised."""
    failures, started = 0, time.monotonic()
    while not stop.is_set():
        try:
            body()
        except Exception as error:
            if not (is_lost(error) or isinstance(error, StreamsUnavailable)):
                raise
            if time.monotonic() - started > MAX_RECONNECT_SECONDS * 2:
                failures = 0
            failures += 1
            lost = "streams_lost" if isinstance(error, StreamsUnavailable) else "database_lost"
            logger.warning(lost, thread=name, error=str(error).strip())
            connection.close()
            stop.wait(min(MAX_RECONNECT_SECONDS, 0.1 + delay_after(failures)))
            started = time.monotonic()


def keep_leases(*, member: str, stop: threading.Event) -> None:
    """Renew what the process holds three times in a lease, also while its other threads are busy."""
    while not stop.wait(settings.BROKER_LEASE_SECONDS / 3):
        membership.renew(member=member)
