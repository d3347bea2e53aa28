"""A stream engine that is away, cut, killed or emptied, and streams that move under running brokers."""

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import redis
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import RequestFactory, override_settings

from broker import placement
from broker.errors import MustMove
from broker.models import GroupPartition, OutboxMessage
from broker.relay import run_relay
from broker.routing import partition_for
from broker.service import keep_connected
from broker.streams import engine_at
from broker.wake import Sender
from ott.embedded.privileges import give_passage
from ott.embedded.valkey import EmbeddedValkey
from ott.health import readyz
from tests.support import broker_app, process_faults
from tests.support.broker_app import (
    effects,
    handle_all,
    held_gate,
    publish_now,
    relay_all,
    sample,
    tries,
    wait_until,
)
from tests.support.broker_processes import START_SECONDS, Processes, kill, owner_pid, real_processes
from tests.support.proxy import Proxy, proxy_to
from tests.support.streams import standing_on

PARTITION = partition_for("sample:1", 2)
LOG = f"broker:stream:log:{PARTITION}"
GROUPS = ("exact", "atleast", "atmost")
wide_topology = replace(broker_app.topology, streams=(replace(broker_app.topology.streams[0], partitions=3),))


@pytest.fixture(scope="module")
def valkey() -> Iterator[EmbeddedValkey]:
    """A server of the streams' own: the tests' other one carries wake-ups."""
    with tempfile.TemporaryDirectory(prefix="marquee-engines-") as name:
        give_passage(Path(name))
        with EmbeddedValkey(Path(name) / "valkey") as server:
            yield server


@pytest.fixture
def proxy(valkey: EmbeddedValkey) -> Iterator[Proxy]:
    with proxy_to(valkey.port) as running:
        yield running


@pytest.fixture
def address(valkey: EmbeddedValkey, proxy: Proxy) -> str:
    return valkey.url.replace(f":{valkey.port}", f":{proxy.port}")


def empty(server: EmbeddedValkey) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()


@pytest.fixture
def _installed(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    with broker_app.installed(tmp_path):
        yield


@pytest.fixture
def on_redis(_installed: None, address: str, valkey: EmbeddedValkey) -> Iterator[None]:
    empty(valkey)
    with standing_on(address):
        yield


@pytest.fixture
def processes(on_redis: None, process_environment: dict[str, str], address: str, tmp_path: Path) -> Iterator[Processes]:
    """Brokers with their streams on Redis, behind the proxy."""
    environment = process_environment | {broker_app.MARKS: str(tmp_path), "BROKER_STREAMS": address}
    environment |= {process_faults.LEASE_SECONDS: "1"}
    with real_processes(environment, tmp_path) as given:
        yield given


def unready() -> set[str]:
    """What /readyz misses, of what this test runs."""
    answer = readyz(RequestFactory().get("/readyz"))
    checks = json.loads(answer.content)["checks"]
    return {name for name in ("streams", "database", "broker") if not checks[name]["ok"]}


def all_have(numbers: list[int]) -> bool:
    return all(effects(group) == numbers for group in GROUPS)


def test_an_engine_that_is_away_at_the_start_holds_messages_back_and_loses_none(
    processes: Processes, proxy: Proxy
) -> None:
    proxy.close()
    processes.start_broker()
    publish_now(*(sample(n) for n in range(5)))
    processes.log_says("streams_lost", times=4)
    assert OutboxMessage.objects.filter(relayed_at=None).count() == 5
    assert unready() == {"streams"}

    proxy.open()
    wait_until(lambda: all_have([0, 1, 2, 3, 4]))
    assert unready() == set()


def test_an_engine_that_is_cut_and_away_during_the_run_delays_and_loses_and_doubles_nothing(
    processes: Processes, proxy: Proxy
) -> None:
    processes.broker()
    for n in range(60):
        publish_now(sample(n))
        if n == 10:
            proxy.cut_after(700)  # in the middle of a batch
        if n == 20:
            proxy.close()
        if n == 35:
            proxy.open()
        if n in (45, 50):
            proxy.cut()

    wait_until(lambda: all_have(list(range(60))))
    wait_until(lambda: unready() == set())  # whoever asks may still hold a connection that was cut


def test_a_killed_engine_delays_and_loses_and_doubles_nothing(processes: Processes, valkey: EmbeddedValkey) -> None:
    processes.broker()
    for n in range(40):
        publish_now(sample(n))
        if n == 15:
            valkey.kill()
        if n == 30:
            valkey.start()

    wait_until(lambda: all_have(list(range(40))))


def test_a_broker_killed_inside_a_handler_is_replaced_on_another_engine_too(processes: Processes) -> None:
    brokers = {process.pid: process for process in (processes.broker(), processes.broker())}
    wait_until(lambda: {owner_pid("exact", 0), owner_pid("exact", 1)} == set(brokers))
    hanging = sample(1, do="wait")
    with held_gate():
        publish_now(hanging, sample(2), sample(3))
        wait_until(lambda: tries("exact", hanging) == 1)
        kill(brokers[owner_pid("exact", PARTITION)])
        wait_until(lambda: tries("exact", hanging) == 2, what="the handover")
    wait_until(lambda: effects("exact") == [1, 2, 3])


@contextmanager
def running_relay() -> Iterator[None]:
    """The relay's own loop in a thread of this process, until everything is relayed."""
    stop, sender = threading.Event(), Sender()

    def run() -> None:
        keep_connected(
            "relay", partial(run_relay, owner="test", hint=threading.Event(), stop=stop, sender=sender), stop
        )
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
        wait_until(lambda: not OutboxMessage.objects.filter(relayed_at=None).exists())
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.usefixtures("on_redis")
@pytest.mark.parametrize("later", [0, 1, 30])
def test_what_an_emptied_server_had_and_no_group_handled_is_relayed_again(valkey: EmbeddedValkey, later: int) -> None:
    with running_relay():
        publish_now(*(sample(n) for n in range(10)))
        wait_until(lambda: not OutboxMessage.objects.filter(relayed_at=None).exists())
        handle_all("exact")
        publish_now(*(sample(n) for n in range(10, 20)))
        wait_until(lambda: not OutboxMessage.objects.filter(relayed_at=None).exists())
        # When the server is emptied, and fewer or more messages than it had come after that
        empty(valkey)
        publish_now(*(sample(n) for n in range(20, 20 + later)))
        if not later:  # then the next look finds it
            with redis.Redis.from_url(valkey.url) as client:
                wait_until(lambda: client.exists(LOG))

    for group in GROUPS:
        handle_all(group)
    assert all_have(list(range(20 + later)))


@pytest.mark.usefixtures("on_redis")
def test_a_relay_that_starts_notices_that_the_end_of_a_log_is_gone(valkey: EmbeddedValkey) -> None:
    publish_now(*(sample(n) for n in range(10)))
    relay_all()
    handle_all("exact")
    with redis.Redis.from_url(valkey.url) as client:  # as after a kill, with the last second in memory alone
        entries = client.xrange(LOG)[:4]
        client.delete(LOG)
        for number, (_, fields) in enumerate(entries):
            client.xadd(LOG, fields, id=f"0-{number + 1}")
    engine_at.cache_clear()  # a new process remembers nothing

    with running_relay():
        publish_now(sample(10))
    for group in GROUPS:
        handle_all(group)
    assert all_have(list(range(11)))


@pytest.mark.usefixtures("_installed")
def test_streams_move_to_another_engine_under_running_brokers_and_publishers(
    process_environment: dict[str, str], address: str, tmp_path: Path
) -> None:
    environment = process_environment | {broker_app.MARKS: str(tmp_path)}
    published, enough = [0], threading.Event()

    def publish() -> None:
        while not enough.wait(0.01):
            publish_now(sample(published[0]))
            published[0] += 1
        connection.close()

    with real_processes(environment, tmp_path) as processes:
        old = processes.broker()
        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            wait_until(lambda: len(effects("exact")) > 20)
            # When they are moved while everything goes on
            call_command("broker_move", address)
            # Then the broker with the old setting ends, and another one with it refuses to start
            assert old.wait(15) == 1
            processes.log_says("reads stream log from redis, BROKER_STREAMS says postgres")
            assert processes.start_broker().wait(START_SECONDS) == 1
            # And one with the new setting goes on where the old one was
            processes.environment["BROKER_STREAMS"] = address
            processes.broker()
            moved_at = published[0]
            wait_until(lambda: len(effects("exact")) > moved_at)
        finally:
            enough.set()
            publisher.join()
        wait_until(lambda: all_have(list(range(published[0]))))


@pytest.mark.usefixtures("_installed")
def test_a_changed_number_of_partitions_is_refused_until_the_groups_are_done() -> None:
    keys = [f"sample:{number}" for number in range(8)]
    publish_now(*(sample(n, key=key) for n in range(3) for key in keys))
    relay_all()
    handle_all("exact")
    handle_all("atmost")
    with override_settings(BROKER_TOPOLOGY=f"{__name__}.wide_topology"):
        # A process with the new topology refuses, and so does the move as long as a group has something to handle
        with pytest.raises(MustMove, match=r"2 partitions of log, the topology says 3.*broker_move"):
            placement.check()
        with pytest.raises(CommandError, match="broker_move"):
            call_command("run_broker")
        with pytest.raises(CommandError, match="atleast: log/"):
            call_command("broker_move", seconds=0.3)
    publish_now(*(sample(3, key=key) for key in keys))
    relay_all()
    for group in GROUPS:
        handle_all(group)

    with override_settings(BROKER_TOPOLOGY=f"{__name__}.wide_topology"):
        call_command("broker_move")
        placement.check()
        publish_now(*(sample(n, key=key) for n in range(4, 7) for key in keys))
        relay_all()
        for group in GROUPS:
            handle_all(group)
        assert GroupPartition.objects.filter(group="exact", next_offset__gt=0).count() == 3
    for group in GROUPS:
        assert [effects(group, key) for key in keys] == [list(range(7))] * 8
    with pytest.raises(MustMove, match="3 partitions of log, the topology says 2"):
        placement.check()
