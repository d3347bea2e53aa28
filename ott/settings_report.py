"""What is wrong with the settings, all of it at once, in words that say what to do."""

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any, cast
from urllib.parse import urlsplit

from environs import Env, EnvValidationError

from broker.streams.kinds import problem_with

from .celery_transports import TRANSPORTS, transport_of

EXPLICIT_IN_PRODUCTION = ("OTT_SECRET_KEY", "OTT_ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL")


def problems(
    env: Env,
    *,
    production: bool,
    debug: bool,
    secret_key: str,
    database: Mapping[str, Any],
    redis_url: str,
    celery_url: str,
    streams: str,
) -> list[str]:
    """One sentence for each setting that is wrong or missing.

    `database` is Django's dictionary, without ENGINE when the address was not understood.
    """
    return [
        *_malformed(env),
        *_servers(database, redis_url),
        *_celery(celery_url),
        *_engine(streams),
        *(_production(debug=debug) if production else _secret(secret_key)),
    ]


def explain(found: list[str]) -> str:
    """The report that a start with wrong settings ends with."""
    return "\n".join(["Marquee cannot start with these settings:", *(f"  - {line}" for line in found)])


def _malformed(env: Env) -> Iterator[str]:
    try:
        env.seal()
    except EnvValidationError as error:
        found = cast("Mapping[str, list[str]]", error.error_messages)  # a lazy Env gathers them by name
        for name, messages in found.items():
            yield f"{name}: {' '.join(messages)}"


def _servers(database: Mapping[str, Any], redis_url: str) -> Iterator[str]:
    hint = "run `make up`, or set DATABASE_URL and REDIS_URL"
    given = os.environ.get("DATABASE_URL")
    if "ENGINE" not in database:
        yield "DATABASE_URL: not a database's address (postgres://…)." if given else f"DATABASE_URL is missing: {hint}."
    elif not str(database["ENGINE"]).endswith("postgresql"):
        yield "DATABASE_URL: only PostgreSQL will do (postgres://…)."
    if not redis_url:
        yield f"REDIS_URL is missing: {hint}."
    elif urlsplit(redis_url).scheme not in {"redis", "rediss"}:
        yield "REDIS_URL: not a Redis address (redis://… or rediss://…)."


def _celery(url: str) -> Iterator[str]:
    transport = transport_of(url)
    if url and transport is None:
        scheme = url.partition("://")[0]
        yield f"CELERY_BROKER_URL: there is no transport {scheme!r}; there is {', '.join(TRANSPORTS)}."
    elif transport and transport.needs and find_spec(transport.needs) is None:
        yield f"CELERY_BROKER_URL: {transport.name} needs what the extra {transport.extra!r} installs."


def _engine(streams: str) -> Iterator[str]:
    if problem := problem_with(streams):
        yield f"BROKER_STREAMS: {problem}"


def _secret(secret_key: str) -> Iterator[str]:
    if not secret_key:
        yield "OTT_SECRET_KEY is missing: `make up` makes one; with servers of your own, set a long random one."


def _production(*, debug: bool) -> Iterator[str]:
    for name in EXPLICIT_IN_PRODUCTION:
        if not os.environ.get(name):
            yield f"{name} must be given explicitly when OTT_PRODUCTION is on."
    if debug:
        yield "OTT_DEBUG must be off when OTT_PRODUCTION is on."
