"""The message: an envelope of CloudEvents 1.0 attributes, routing, headers and data around one event."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID, uuid4

HeaderValue = str | int | bool


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One event on its way.

    `type`, `source`, `id`, `time`, `subject` are CloudEvents' (https://github.com/cloudevents/spec, 1.0.2);
    `exchange`, `routing_key`, `headers`, `priority` are AMQP's; messages of one `key` keep their order.
    """

    type: str
    data: Mapping[str, Any]
    key: str
    exchange: str
    routing_key: str
    source: str = "/marquee"
    subject: str = ""
    version: int = 1  # of the schema of `data`
    id: UUID = field(default_factory=uuid4)
    time: datetime = field(default_factory=_now)
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    priority: int = 0
    expires_at: datetime | None = None
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    traceparent: str = ""
    position: int | None = None  # given by the relay: equal for a duplicate, greater for the next

    def caused_by(self, cause: "Message") -> Self:
        """This message as a consequence of `cause`: same correlation, same trace."""
        return replace(
            self,
            causation_id=cause.id,
            correlation_id=cause.correlation_id or cause.id,
            traceparent=cause.traceparent,
        )
