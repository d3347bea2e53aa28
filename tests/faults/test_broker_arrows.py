"""Publishers and brokers killed at every arrow of a message's way: nothing lost, kept in order, exactly once.

Three brokers are alive all the time: one relay works and two stand by, and each group has three members. `OTT_SEED`
repeats the choices, if not the moments.
"""

import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import pytest
from django.conf import settings
from django.db import connection

from broker.models import DeadLetter, WorkItem
from tests.support import broker_app, process_faults, publisher
from tests.support.broker_app import wait_until
from tests.support.broker_processes import Processes, kill, real_processes

SOAK = bool(os.environ.get("OTT_SOAK"))
MESSAGES = 10_000 if SOAK else 1_000
KEYS = 8
PAUSE_SECONDS = 0.012
MEMBERS = 3
LEASE_SECONDS = 1.0
ATTEMPTS = 20  # so many processes may die in a row with one message that is not to blame
CALM_SECONDS = 5.0  # with nobody dying by itself for so long, somebody is killed

IN_ONE_COMMIT = ("insert", "append", "mark", "handler", "watermark", "dead-letter")
IN_THREE_COMMITS = (*IN_ONE_COMMIT, "position")


@dataclass(frozen=True, kw_only=True)
class Way:
    """Where the log stands, and so which arrows there are."""

    name: str
    arrows: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


WAYS = (
    Way(name="postgres", arrows=IN_ONE_COMMIT, environment={broker_app.BATCH: "20"}),
    Way(name="redis", arrows=IN_THREE_COMMITS, environment={"BROKER_STREAMS": settings.REDIS_URL}),
)


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request: pytest.FixtureRequest) -> Way:
    chosen: Way = request.param
    return chosen


@pytest.fixture
def processes(process_environment: dict[str, str], tmp_path: Path, way: Way) -> Iterator[Processes]:
    with broker_app.installed(tmp_path):
        environment = process_environment | {
            process_faults.MARKS: str(tmp_path),
            process_faults.LEASE_SECONDS: str(LEASE_SECONDS),
            broker_app.ATTEMPTS: str(ATTEMPTS),
            **way.environment,
        }
        with real_processes(environment, tmp_path) as given:
            yield given


class Killer:
    """Keeps a publisher and `MEMBERS` brokers alive, each of them about to die at the first arrow that it comes to."""

    def __init__(self, processes: Processes, arrows: tuple[str, ...], *, seed: int) -> None:
        self._processes = processes
        self._random = random.Random(seed)
        self._marks = Path(processes.environment[process_faults.MARKS])
        self._places = [f"{arrow}:{when}" for arrow in arrows for when in ("before", "after")]
        self._alive: list[tuple[str, Popen[bytes]]] = []
        self._wanted = {"publisher": 1, "broker": MEMBERS}
        self._calm_until = time.monotonic() + CALM_SECONDS
        self.deaths = 0

    def keep_going(self) -> None:
        """Replace the dead; kill somebody when it has been calm for long."""
        self.replace_the_dead()
        if time.monotonic() > self._calm_until:
            kind, process = self._random.choice(self._alive)
            kill(process)
            self._bury(kind, process)

    def replace_the_dead(self) -> None:
        """Start as many as have died; who is left may still be about to die somewhere."""
        for kind, process in list(self._alive):
            if process.poll() is not None:
                assert process.returncode == -signal.SIGKILL, f"a {kind} ended with {process.returncode}"
                self._bury(kind, process)
        for kind, wanted in self._wanted.items():
            for _ in range(wanted - len(self._of(kind))):
                self._begin(kind)

    def stop_one_for_longer_than_its_lease(self) -> None:
        """SIGSTOP a broker, and let it go on when others have taken over."""
        stopped = self._random.choice(self._of("broker"))
        stopped.send_signal(signal.SIGSTOP)
        time.sleep(2 * LEASE_SECONDS)
        stopped.send_signal(signal.SIGCONT)

    def end_publisher(self) -> None:
        """Kill whoever publishes, and let nobody take over."""
        self._wanted["publisher"] = 0
        for process in self._of("publisher"):
            kill(process)

    def not_died_at(self) -> list[str]:
        """The places that have had no victim yet."""
        return [place for place in self._places if not (self._marks / f"died-at-{place}").exists()]

    def _of(self, kind: str) -> list[Popen[bytes]]:
        return [process for other, process in self._alive if other == kind]

    def _begin(self, kind: str) -> None:
        wishes = [f"{place}:{self._random.randint(1, 5)}" for place in self._not_died_at_by(kind)]
        usual = self._processes.environment
        self._processes.environment = usual | {process_faults.DIE_AT: " ".join(wishes)}
        start = self._processes.start_broker if kind == "broker" else self._publisher
        self._alive.append((kind, start()))
        self._processes.environment = usual

    def _not_died_at_by(self, kind: str) -> list[str]:
        return [place for place in self.not_died_at() if place.startswith("insert") == (kind == "publisher")]

    def _publisher(self) -> Popen[bytes]:
        return self._processes.publisher(keys=KEYS, pause=PAUSE_SECONDS)

    def _bury(self, kind: str, process: Popen[bytes]) -> None:
        self._alive.remove((kind, process))
        self._calm_until = time.monotonic() + CALM_SECONDS
        self.deaths += 1


def test_kills_at_every_arrow_lose_nothing_keep_order_and_double_nothing(processes: Processes, way: Way) -> None:
    seed = int(os.environ.get("OTT_SEED") or random.randrange(10**6))
    killer = Killer(processes, way.arrows, seed=seed)

    # Given messages without end, and processes that die at every arrow
    def is_enough() -> bool:
        killer.keep_going()
        return not killer.not_died_at() and sum(publisher.published().values()) >= MESSAGES

    wait_until(is_enough, seconds=600 if SOAK else 120, what="a death at every arrow")
    killer.stop_one_for_longer_than_its_lease()
    killer.end_publisher()
    last = publisher.published()

    # When nobody is killed any more
    def is_done() -> bool:
        killer.replace_the_dead()
        is_all_handled = is_handled("exact", last) and is_handled("atleast", last)
        return is_all_handled and WorkItem.objects.count() >= fine(last)

    wait_until(is_done, seconds=120, what="the rest")

    # Then
    print(f"{way.name}: OTT_SEED={seed}, {sum(last.values())} messages, {killer.deaths} deaths")
    assert_nothing_is_lost_doubled_or_out_of_order(last)


def fine(last: Mapping[str, int]) -> int:
    """How many of the messages the group `exact` can handle."""
    return sum(len(handled_by_exact(n)) for n in last.values())


def handled_by_exact(last: int) -> list[int]:
    return [n for n in range(1, last + 1) if not publisher.is_permanent(n)]


def is_handled(group: str, last: Mapping[str, int]) -> bool:
    """Whether the newest message of every key has been handled, or buried."""
    seen = effects_by_key(group)
    buried = {(letter.key, letter.body["data"]["n"]) for letter in letters()} if group == "exact" else set()
    return all(n in seen[key] or (key, n) in buried for key, n in last.items())


def letters() -> list[DeadLetter]:
    return list(DeadLetter.objects.filter(origin="group:exact"))


def effects_by_key(group: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, n FROM effect WHERE place = %s ORDER BY id", [group])
        for key, n in cursor.fetchall():
            found[key].append(n)
    return found


def assert_nothing_is_lost_doubled_or_out_of_order(last: Mapping[str, int]) -> None:
    exact, at_least, at_most = (effects_by_key(group) for group in ("exact", "atleast", "atmost"))
    for key, n in last.items():
        assert exact[key] == handled_by_exact(n), key
        assert list(dict.fromkeys(at_least[key])) == list(range(1, n + 1)), key
        # A call that was stopped after its progress was written goes on late: nobody repeats it, so it may come after.
        assert len(at_most[key]) == len(set(at_most[key])), key
    dead = sorted((letter.key, letter.body["data"]["n"]) for letter in letters())
    assert dead == sorted((key, m) for key, n in last.items() for m in range(1, n + 1) if publisher.is_permanent(m))
    followed = WorkItem.objects.filter(queue="followups").values_list("body__partitionkey", "body__data__n")
    assert sorted(followed) == sorted((key, m) for key, n in last.items() for m in handled_by_exact(n))
