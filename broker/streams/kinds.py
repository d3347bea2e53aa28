"""The stream engines that there are, by the address in BROKER_STREAMS. Importable without any of their clients."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One engine: where its class is, and which package its client comes in (an extra of the same name as `name`)."""

    name: str
    path: str
    example: str
    client: str


_REDIS = Kind(name="redis", path="broker.streams.redis.RedisStreams", example="redis://host:6379/0", client="redis")
_RABBITMQ = Kind(
    name="rabbitmq",
    path="broker.streams.rabbitmq.RabbitStreams",
    example="amqp://user:password@host/",
    client="aio_pika",
)
KINDS: Mapping[str, Kind] = {
    "postgres": Kind(
        name="postgres", path="broker.streams.postgres.PostgresStreams", example="postgres", client="psycopg"
    ),
    "redis": _REDIS,
    "rediss": _REDIS,
    "kafka": Kind(
        name="kafka",
        path="broker.streams.kafka.KafkaStreams",
        example="kafka://host:9092,host:9092",
        client="confluent_kafka",
    ),
    "amqp": _RABBITMQ,
    "amqps": _RABBITMQ,
}


def scheme_of(setting: str) -> str:
    """What stands before `://`, or all of it."""
    return setting.partition("://")[0]


def problem_with(setting: str) -> str | None:
    """What is wrong with a value of BROKER_STREAMS, in words; it may hold a password, so they do not repeat it."""
    kind = KINDS.get(scheme_of(setting))
    if kind is None:
        known = ", ".join(dict.fromkeys(each.example for each in KINDS.values()))
        return f"there is no stream engine {scheme_of(setting)!r}; there are {known}."
    if kind.name == "postgres":
        return None if setting == "postgres" else "the engine postgres uses DATABASE_URL: say `postgres` alone."
    if not urlsplit(setting).netloc:
        return f"this address has no host: {kind.example}."
    if find_spec(kind.client) is None:
        return f"the engine {kind.name} needs the package {kind.client}: install the extra `{kind.name}`."
    return None
