"""Redis killed, restarted, emptied and cut off under open live connections."""

import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.test import override_settings

from accounts.models import User
from ott.embedded.valkey import EmbeddedValkey
from tests.integration.live_support import Client, LiveServer, push
from tests.integration.notifications_support import post

pytestmark = pytest.mark.django_db(transaction=True)
HEALED_WITHIN = 3.0  # seconds, as the guarantee says
BACK_WITHIN = 10.0
GONE_SECONDS = 30.0


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    folder: Path = tmp_path_factory.mktemp("valkey")
    for parent in [folder, *folder.parents[:2]]:
        parent.chmod(0o711)  # pytest's own folders: the server's user passes through
    with EmbeddedValkey(folder) as server:
        yield server


@pytest.fixture(scope="module")
def web(test_database_url: str, valkey: EmbeddedValkey) -> Iterator[LiveServer]:
    running = LiveServer({"DATABASE_URL": test_database_url, "REDIS_URL": valkey.url}).wait_until_ready()
    layer = {**settings.CHANNEL_LAYERS["default"], "CONFIG": {"hosts": [f"{valkey.url}/0"], "prefix": "live"}}
    with override_settings(CHANNEL_LAYERS={"default": layer}):
        yield running
    running.stop()


def is_live_again(client: Client) -> bool:
    """Whether hints arrive: sooner than a tick would heal, several times in a row."""
    deadline = time.monotonic() + BACK_WITHIN
    in_a_row = 0
    while time.monotonic() < deadline and in_a_row < 5:
        push(post("Probe"))
        started = time.monotonic()
        client.titles(1)
        in_a_row = in_a_row + 1 if time.monotonic() - started < 0.2 else 0
    return in_a_row == 5


def test_while_redis_is_gone_for_half_a_minute_postings_arrive_in_time_and_hints_come_back_with_an_empty_one(
    web: LiveServer, valkey: EmbeddedValkey, subscriber: User
) -> None:
    with Client(web, subscriber) as client:
        client.resume()
        with redis.Redis.from_url(valkey.url) as redis_client:
            redis_client.set("written before", "it was killed")
        valkey.kill()
        back = time.monotonic() + GONE_SECONDS
        for number in count():
            push(post(str(number)))
            assert client.titles(1, within=HEALED_WITHIN) == [str(number)]
            if time.monotonic() > back:
                break

        shutil.rmtree(valkey.working_folder)
        valkey.start()

        with redis.Redis.from_url(valkey.url) as redis_client:
            assert not redis_client.exists("written before")
        assert is_live_again(client)


def test_emptying_redis_disturbs_nobody(web: LiveServer, valkey: EmbeddedValkey, subscriber: User) -> None:
    with Client(web, subscriber) as client, redis.Redis.from_url(valkey.url) as redis_client:
        client.resume()
        redis_client.flushall()
        push(post("After"))

        assert client.titles(1, within=1) == ["After"]


def test_a_subscription_that_redis_drops_is_renewed(web: LiveServer, valkey: EmbeddedValkey, subscriber: User) -> None:
    with Client(web, subscriber) as client, redis.Redis.from_url(valkey.url) as redis_client:
        client.resume()
        redis_client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        push(post("Meanwhile"))

        assert client.titles(1, within=HEALED_WITHIN) == ["Meanwhile"]
        assert is_live_again(client)


def test_a_web_process_that_starts_without_redis_serves_and_catches_up(
    web: LiveServer, valkey: EmbeddedValkey, subscriber: User, test_database_url: str
) -> None:
    valkey.kill()
    second = LiveServer({"DATABASE_URL": test_database_url, "REDIS_URL": valkey.url}).wait_until_ready()
    try:
        with Client(second, subscriber) as client:
            client.resume()
            post("No Redis at all")
            assert client.titles(1, within=HEALED_WITHIN) == ["No Redis at all"]
            valkey.start()
            assert is_live_again(client)
    finally:
        second.stop()
