"""Event sourcing: an aggregate's history, appended under an expected version and never changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Max

from .bus import bus
from .errors import ConcurrentWrite
from .models import StoredEvent

# An aggregate's later event may come from the transaction with the lower number: it began to write earlier and waited.
# So an event bears at least the number that the one before it bears, and versions keep their order in the whole.
_APPEND = """
    INSERT INTO broker_storedevent (aggregate, version, type, data, metadata, transaction)
    SELECT %(aggregate)s, %(version)s + event.number, event.type, event.data::jsonb, event.metadata::jsonb,
        greatest(pg_current_xact_id()::text::bigint, (
            SELECT transaction FROM broker_storedevent WHERE aggregate = %(aggregate)s AND version = %(version)s
        ))
    FROM unnest(%(types)s::text[], %(data)s::text[], %(metadata)s::text[])
        WITH ORDINALITY AS event (type, data, metadata, number)
    ORDER BY event.number
    RETURNING recorded_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that is about to be appended."""

    type: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """An event as it stands in the store; versions of an aggregate count from 1 without a hole."""

    version: int
    type: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any]
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsAppended:
    """On the bus: this process has committed events of an aggregate."""

    aggregate: str
    events: Sequence[RecordedEvent]


def append(*, aggregate: str, events: Sequence[NewEvent], expected_version: int) -> list[RecordedEvent]:
    """Append `events` after `expected_version` (0: a new aggregate) and return them as they were recorded.

    Raises `ConcurrentWrite` when the aggregate is at another version; the surrounding transaction stays usable.
    """
    if (actual := version_of(aggregate)) != expected_version:
        raise ConcurrentWrite(aggregate=aggregate, expected_version=expected_version, actual_version=actual)
    try:
        with transaction.atomic():
            moments = _insert(aggregate, events, expected_version)
    except IntegrityError as error:  # somebody appended between the look and the write
        raise ConcurrentWrite(
            aggregate=aggregate, expected_version=expected_version, actual_version=version_of(aggregate)
        ) from error
    recorded = [
        RecordedEvent(version=version, type=event.type, data=event.data, metadata=event.metadata, recorded_at=moment)
        for version, (event, moment) in enumerate(zip(events, moments, strict=True), start=expected_version + 1)
    ]
    bus.publish_on_commit(EventsAppended(aggregate=aggregate, events=recorded))
    return recorded


def load(aggregate: str) -> list[RecordedEvent]:
    """The aggregate's events, oldest first; empty when it does not exist."""
    rows = StoredEvent.objects.filter(aggregate=aggregate).order_by("version")
    fields = ("version", "type", "data", "metadata", "recorded_at")
    return [RecordedEvent(**row) for row in rows.values(*fields)]


def version_of(aggregate: str) -> int:
    """The aggregate's newest version; 0 when it does not exist."""
    newest = StoredEvent.objects.filter(aggregate=aggregate).aggregate(Max("version"))
    return newest["version__max"] or 0


def _insert(aggregate: str, events: Sequence[NewEvent], version: int) -> list[datetime]:
    given: dict[str, Any] = {
        "aggregate": aggregate,
        "version": version,
        "types": [event.type for event in events],
        "data": [_as_json(event.data) for event in events],
        "metadata": [_as_json(event.metadata) for event in events],
    }
    with connection.cursor() as cursor:
        cursor.execute(_APPEND, given)
        return [moment for (moment,) in cursor.fetchall()]


def _as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False)
