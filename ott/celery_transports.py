"""What Celery may send its wake-ups with, and what each of them has to be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

HOUR = 3600
# Whoever sends a wake-up gives up soon, since the beat sends it again; kombu would try for ever.
_IMPATIENT = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """One kind of server: its options, and the module and the extra that it needs besides ours."""

    name: str
    options: Mapping[str, Any]
    needs: str = ""
    extra: str = ""
    has_remote_control: bool = True


# What a killed worker held is redelivered after so long. The beat is faster, and rows keep work from doubling.
_REDIS = Transport(
    name="Redis",
    options={
        **_IMPATIENT,
        "visibility_timeout": 24 * HOUR,
        "socket_keepalive": True,
        "queue_order_strategy": "priority",  # a worker asks for its lanes in the order in which it was given them
    },
)
_RABBITMQ = Transport(name="RabbitMQ", options=_IMPATIENT)
_SQS = Transport(
    name="Amazon SQS",
    # Twelve hours is SQS's most. Workers ask again at once after a long poll that found nothing.
    options={**_IMPATIENT, "visibility_timeout": 12 * HOUR, "wait_time_seconds": 10, "polling_interval": 0},
    needs="boto3",
    extra="sqs",
    has_remote_control=False,  # it has no exchanges that fan out
)
TRANSPORTS: Mapping[str, Transport] = {
    "redis": _REDIS,
    "rediss": _REDIS,
    "amqp": _RABBITMQ,
    "amqps": _RABBITMQ,
    "sqs": _SQS,
}


def transport_of(url: str) -> Transport | None:
    """The transport that an address names by its scheme; None when there is no such."""
    return TRANSPORTS.get(urlsplit(url).scheme)
