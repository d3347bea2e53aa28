"""A small application on the broker: a topology, handlers that leave a row for each call, and ways to drive it all.

Its handlers do what the message says, so that a test can make one fail, wait or die.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.test import override_settings
from pydantic import BaseModel, ConfigDict

from broker import leases, schemas, work
from broker.current import current_topology
from broker.errors import PermanentFailure
from broker.groups import GroupRunner
from broker.membership import Membership
from broker.messages import Message
from broker.models import OutboxMessage, WorkItem
from broker.outbox import publish
from broker.relay import LEASE, relay_batch
from broker.topology import (
    Binding,
    Exchange,
    ExchangeType,
    Expired,
    Group,
    Semantics,
    Stream,
    Topology,
    WorkQueue,
)
from broker.wake import WakeUp

MARKS = "BROKER_TEST_MARKS"
BATCH = "BROKER_TEST_BATCH"  # of the group "exact"
ATTEMPTS = "BROKER_TEST_ATTEMPTS"  # of the groups that try again
SETTING = "tests.support.broker_app.topology"
HERE = "tests.support.broker_app"
GATE = 4711  # the advisory lock that a handler told to "wait" passes through

topology = Topology(
    exchanges=(
        Exchange(name="samples", type=ExchangeType.TOPIC),
        Exchange(name="nowhere", type=ExchangeType.DIRECT),
        Exchange(name="strict", type=ExchangeType.TOPIC, types=("sample.noted",)),
    ),
    streams=(Stream(name="log", partitions=2),),
    queues=(
        WorkQueue(name="jobs", handler=f"{HERE}.do_job", max_attempts=3, lease_seconds=2.0, fair_by="tenant"),
        WorkQueue(name="alerts", handler=f"{HERE}.raise_alert", lane="urgent"),
        WorkQueue(name="mailings", handler=f"{HERE}.send_mailing", lane="bulk"),
        WorkQueue(name="followups", handler=f"{HERE}.follow_up", max_attempts=3, lease_seconds=2.0),
    ),
    bindings=(
        Binding(exchange="samples", routing_key="noted.#", to="log"),
        Binding(exchange="strict", routing_key="sample.noted.#", to="log"),
        Binding(exchange="samples", routing_key="job.#", to="jobs"),
        Binding(exchange="samples", routing_key="followup", to="followups"),
        Binding(exchange="samples", routing_key="alert", to="alerts"),
        Binding(exchange="samples", routing_key="mailing", to="mailings"),
        Binding(exchange="nowhere", routing_key="never.used", to="jobs"),
        Binding(exchange="strict", routing_key="sample.noted", to="log"),
    ),
    groups=(
        Group(
            name="exact",
            stream="log",
            handlers={"sample.noted": f"{HERE}.note_exactly"},
            max_attempts=int(os.environ.get(ATTEMPTS, "3")),
            batch=int(os.environ.get(BATCH, "1")),
        ),
        Group(
            name="atleast",
            stream="log",
            handlers={"sample.noted": f"{HERE}.note_at_least"},
            semantics=Semantics.AT_LEAST_ONCE,
            max_attempts=int(os.environ.get(ATTEMPTS, "3")),
        ),
        Group(
            name="atmost",
            stream="log",
            handlers={"sample.noted": f"{HERE}.note_at_most"},
            semantics=Semantics.AT_MOST_ONCE,
        ),
    ),
)
# The same with little patience, and with batches; messages that expired become dead letters.
strict_topology = replace(
    topology,
    streams=(Stream(name="log", partitions=2, expired=Expired.DEAD_LETTER),),
    groups=(
        replace(topology.groups[0], time_limit=1.0, batch=10),
        *(replace(group, time_limit=1.0) for group in topology.groups[1:]),
    ),
)


@schemas.register("sample.noted", version=1)
class SampleNoted(BaseModel):
    """`do` says what the handler at `where` is to do.

    Nothing special, "fail", "fail-once", "permanent", "wait" (for the gate), "hang", "die" or "die-once".
    """

    model_config = ConfigDict(extra="forbid")

    n: int
    text: str = ""
    do: str = ""
    where: str = "exact"  # the group or queue that is meant by `do`
    follow: bool = False


schemas.register("sample.ignored", version=1)(SampleNoted)


def sample(n: int = 1, *, key: str = "sample:1", **changes: Any) -> Message:
    data = {name: changes.pop(name) for name in ("text", "do", "where", "follow") if name in changes}
    given: dict[str, Any] = {"type": "sample.noted", "exchange": "samples", "routing_key": "noted", "key": key}
    given["data"] = {"n": n, **data}
    return Message(**(given | changes))


def publish_now(*messages: Message) -> None:
    """Publish each message in a transaction of its own."""
    for message in messages:
        with transaction.atomic():
            publish(message)


# --- Handlers: each leaves a row in the table `effect` ---------------------------------------------------------------
def note_exactly(message: Message) -> None:
    _behave("exact", message)
    if message.data.get("follow"):
        publish(
            Message(
                type="sample.noted",
                exchange="samples",
                routing_key="followup",
                key=message.key,
                data={"n": message.data["n"]},
            ).caused_by(message)
        )


def note_at_least(message: Message) -> None:
    _behave("atleast", message)


def note_at_most(message: Message) -> None:
    _behave("atmost", message)


def do_job(message: Message) -> None:
    _behave("jobs", message)


def raise_alert(message: Message) -> None:
    _behave("alerts", message)


def send_mailing(message: Message) -> None:
    _behave("mailings", message)


def follow_up(message: Message) -> None:
    _behave("followups", message)


def _behave(place: str, message: Message) -> None:
    do = message.data.get("do", "") if message.data.get("where", "exact") == place else ""
    is_first_try = count_try(place, message) == 1
    if do == "fail" or (do == "fail-once" and is_first_try):
        raise ValueError(f"told to fail at {place}")
    if do == "hang":
        time.sleep(3600)
    if do == "permanent":
        raise PermanentFailure("told to fail for good")
    if do == "die" or (do == "die-once" and is_first_try):
        os.kill(os.getpid(), signal.SIGKILL)
    with connection.cursor() as cursor:
        if do == "wait":
            cursor.execute("SELECT pg_advisory_lock_shared(%s), pg_advisory_unlock_shared(%s)", [GATE, GATE])
        cursor.execute(
            "INSERT INTO effect (place, key, n, position) VALUES (%s, %s, %s, %s)",
            [place, message.key, message.data["n"], message.position],
        )


def count_try(place: str, message: Message) -> int:
    """Count a call in a file, which no rollback takes back and every process sees."""
    with (Path(os.environ[MARKS]) / f"{place}-{message.id}").open("a") as marks:
        marks.write("x")
        return marks.tell()


def tries(place: str, message: Message) -> int:
    file = Path(os.environ[MARKS]) / f"{place}-{message.id}"
    return file.stat().st_size if file.exists() else 0


# --- What a test needs -----------------------------------------------------------------------------------------------
@contextmanager
def installed(marks: Path) -> Iterator[None]:
    """This topology as the current one, the table that its handlers write to, and the folder where they count."""
    os.environ[MARKS] = str(marks)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS effect")
        identity = "bigint GENERATED BY DEFAULT AS IDENTITY"
        cursor.execute(f"CREATE TABLE effect (id {identity}, place text, key text, n int, position bigint)")
    try:
        with override_settings(BROKER_TOPOLOGY=SETTING):
            yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE effect")
        del os.environ[MARKS]


def effects(place: str, key: str | None = None) -> list[int]:
    """The numbers that the handlers of a group or queue saw, in the order in which they did."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n FROM effect WHERE place = %s AND (%s::text IS NULL OR key = %s) ORDER BY id", [place, key, key]
        )
        return [n for (n,) in cursor.fetchall()]


def wait_until(is_true: Callable[[], object], *, seconds: float = 15, what: str = "it") -> None:
    """Look every 20 ms until it is so; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} seconds"
        time.sleep(0.02)


@contextmanager
def held_gate() -> Iterator[None]:
    """Handlers that are told to wait do so inside this block."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [GATE])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [GATE])


def in_threads(work: Callable[[], object], count: int) -> None:
    """Run `work` in `count` threads at once; the first error is raised here."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # handed to the test's own thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    if errors:
        raise errors[0]


# --- Driving the broker in this thread -------------------------------------------------------------------------------
def relay_all(owner: str = "test") -> list[WakeUp]:
    """Relay everything that waits; returns the wake-ups instead of sending them."""
    generation = leases.take(LEASE, owner=owner)
    assert generation, "another relay is active"
    sent: list[WakeUp] = []
    while relay_batch(generation=generation, send=sent.extend):
        pass
    return sent


def member_of(name: str, *, member: str = "test") -> tuple[GroupRunner, Membership]:
    """A member of a group, with its share of the partitions."""
    current = current_topology()
    group = next(group for group in current.groups if group.name == name)
    stream = next(stream for stream in current.streams if stream.name == group.stream)
    membership = Membership(group, stream, member=member)
    membership.join()
    membership.rebalance()
    return GroupRunner(group), membership


@contextmanager
def nested_loops() -> Iterator[None]:
    """Plans as unlucky statistics make them: a subquery in a join is asked again for each row."""
    others = [f"enable_{name}" for name in ("hashjoin", "mergejoin", "material", "hashagg", "sort")]
    with connection.cursor() as cursor:
        try:
            for name in others:
                cursor.execute(f"SET {name} TO off")
            yield
        finally:
            for name in others:
                cursor.execute(f"RESET {name}")


def advance(runner: GroupRunner, membership: Membership) -> bool:
    """Let a member handle what is due in its partitions, once."""
    never = threading.Event()
    moved = [runner.advance(each, until=float("inf"), stop=never) for each in membership.owned.values()]
    return any(moved)


def handle_all(group: str, *, seconds: float = 15) -> None:
    """Let one member handle a group's whole backlog, retries included."""
    runner, membership = member_of(group)
    wait_until(
        lambda: all(each.is_due() for each in membership.owned.values()) and not advance(runner, membership),
        seconds=seconds,
    )
    membership.leave()


def drain() -> None:
    """Relay, handle and work until nothing is left, as the processes would."""
    while True:
        relay_all()
        for group in current_topology().groups:
            handle_all(group.name)
        ready = WorkItem.objects.filter(state=WorkItem.State.READY).order_by("id").values_list("pk", flat=True)
        ran = [item_id for item_id in list(ready) if work.run(item_id)]
        if not ran and not OutboxMessage.objects.filter(relayed_at=None):
            return
