"""The threads of a broker's consumer groups, and the watch over what their handlers take."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from .errors import BrokerError, LeaseLost
from .groups import GroupRunner
from .topology import Group

logger = structlog.get_logger(__name__)

WATCH_SECONDS = 0.25
MAX_GIVEN_UP = 8  # threads that hang for good; with so many, the process makes room for a new one


class TooManyHang(BrokerError):
    """So many handlers hang for good that only a new process gets rid of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One thread of one group. A run that is given up gets a successor, with a runner of its own."""

    runner: GroupRunner
    thread: threading.Thread
    stop: threading.Event


@dataclass(slots=True)
class Runs:
    """The present run of every group. `start` makes and starts the thread of a runner that stops at an event."""

    start: Callable[[GroupRunner, threading.Event], threading.Thread]
    present: dict[str, Run] = field(default_factory=dict)
    given_up: list[Run] = field(default_factory=list)

    def begin(self, group: Group) -> None:
        """Start a thread for the group."""
        runner, stop = GroupRunner(group), threading.Event()
        self.present[group.name] = Run(runner=runner, thread=self.start(runner, stop), stop=stop)

    def watch(self, stop: threading.Event) -> None:
        """Replace whoever hangs, until `stop` is set. Raises `TooManyHang`."""
        while not stop.wait(WATCH_SECONDS):
            for run in list(self.present.values()):
                self._check(run)

    def end(self) -> list[threading.Thread]:
        """Tell every run to end; the threads of those that can."""
        for run in self.present.values():
            run.stop.set()
        return [run.thread for run in self.present.values()]

    def _check(self, run: Run) -> None:
        call, group = run.runner.call, run.runner.group
        if call is None or not call.is_late():
            return
        run.stop.set()
        logger.error("handler_hangs", group=group.name, position=call.entry.position, limit=group.time_limit)
        try:
            run.runner.give_up(call)
        except LeaseLost:
            logger.warning("partition_lost", group=group.name, partition=call.progress.partition)
        finally:
            self.given_up = [*(earlier for earlier in self.given_up if earlier.thread.is_alive()), run]
            self.begin(group)
        if len(self.given_up) >= MAX_GIVEN_UP:
            raise TooManyHang(f"{MAX_GIVEN_UP} threads hang")
