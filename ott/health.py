"""Is the process up, is the platform ready, and what do its numbers say."""

import functools
from collections.abc import Callable, Mapping

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from broker import wake
from broker.current import current_topology
from broker.models import Lease
from broker.relay import LEASE
from broker.streams import engine

from .heartbeats import silent


class NotReady(Exception):
    """A dependency cannot do its part; the message says why."""


@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    """This process is up: nothing else is asked."""
    return JsonResponse({"status": "ok"})


@require_GET
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether the platform can do its work: 200 or 503, with each dependency by name."""
    checks = {name: _outcome(check) for name, check in CHECKS.items()}
    ready = all(outcome["ok"] for outcome in checks.values())
    return JsonResponse({"status": "ok" if ready else "not ready", "checks": checks}, status=200 if ready else 503)


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers of this process and of the broker, for Prometheus."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _outcome(check: Callable[[], None]) -> dict[str, bool | str]:
    try:
        check()
    except Exception as error:  # whatever it is, it is why this dependency is not ready
        return {"ok": False, "detail": str(error).strip() or type(error).__name__}
    return {"ok": True}


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@functools.cache  # a success is remembered: the code's migrations do not change while it runs
def _migrations() -> None:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise NotReady(f"{len(missing)} migrations have not been applied: run `manage.py migrate`.")


def _redis() -> None:
    silent()


def _wake_ups() -> None:
    try:
        wake.waiting(settings.CELERY_TASK_DEFAULT_QUEUE)
    except Exception as error:
        raise NotReady(f"Celery's transport does not answer: {error}") from error


def _streams() -> None:
    """Ask the engine for an end, as every group does."""
    engine().end(current_topology().streams[0].name, 0)


def _broker() -> None:
    if not Lease.objects.filter(name=LEASE, expires_at__gt=Now()).exists():
        raise NotReady("No relay holds the lease: is the process `broker` running?")


def _sign_of_life(name: str) -> Callable[[], None]:
    def check() -> None:
        if name in silent():
            raise NotReady(f"No sign of life in the last ten seconds: is the process `{name}` running?")

    return check


CHECKS: Mapping[str, Callable[[], None]] = {
    "database": _database,
    "migrations": _migrations,
    "redis": _redis,
    "streams": _streams,
    "wake-ups": _wake_ups,
    "broker": _broker,
    "worker": _sign_of_life("worker"),
    "worker-bulk": _sign_of_life("worker-bulk"),
    "worker-media": _sign_of_life("worker-media"),
    "worker-outbound": _sign_of_life("worker-outbound"),
    "beat": _sign_of_life("beat"),
}
