"""/healthz, /readyz and /metrics."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from broker.models import Lease
from broker.relay import LEASE
from notifications.live.metrics import connections
from ott import heartbeats
from ott.health import CHECKS
from ott.heartbeats import WATCHED, mark_alive

pytestmark = pytest.mark.django_db


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Every process has just given a sign of life."""
    for name in WATCHED:
        settings.OTT_PROCESS = name
        monkeypatch.setattr(heartbeats, "_last_mark", 0.0)
        mark_alive()
    Lease.objects.create(name=LEASE, owner="relay", expires_at=timezone.now() + timedelta(seconds=5))


def test_healthz_asks_nobody(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.usefixtures("alive")
def test_readyz_is_green_when_every_dependency_is(client: Client) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert set(answer.json()["checks"]) == set(CHECKS)


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize("name", WATCHED)
def test_readyz_names_the_process_that_is_silent(client: Client, name: str) -> None:
    cache.delete(f"alive:{name}")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert [key for key, outcome in answer.json()["checks"].items() if not outcome["ok"]] == [name]


@pytest.mark.usefixtures("alive")
def test_readyz_names_the_broker_when_no_relay_holds_the_lease(client: Client) -> None:
    Lease.objects.update(expires_at=timezone.now())

    checks = client.get("/readyz").json()["checks"]

    assert not checks["broker"]["ok"]
    assert "broker" in checks["broker"]["detail"]


def test_readyz_says_when_redis_does_not_answer(client: Client, settings: Any) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1",
        }
    }

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert not answer.json()["checks"]["redis"]["ok"]
    assert answer.json()["checks"]["database"]["ok"]


def test_metrics_show_the_brokers_numbers_and_the_live_connections(client: Client) -> None:
    connections.set(3)

    lines = client.get("/metrics").content.decode().splitlines()

    assert "broker_outbox_depth 0.0" in lines
    assert "live_connections 3.0" in lines


def test_an_unknown_address_of_the_api_is_answered_as_a_problem(client: Client) -> None:
    answer = client.get("/api/v1/nothing")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 404
