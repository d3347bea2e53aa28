"""Event sourcing: an aggregate's history, appended under an expected version and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from .errors import ConcurrentWrite
from .models import StoredEvent


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


def append(*, aggregate: str, events: Sequence[NewEvent], expected_version: int) -> int:
    """Append `events` after `expected_version` (0: a new aggregate) and return the new version.

    Raises `ConcurrentWrite` when the aggregate is at another version; the surrounding transaction stays usable.
    """
    if (actual := version_of(aggregate)) != expected_version:
        raise ConcurrentWrite(aggregate=aggregate, expected_version=expected_version, actual_version=actual)
    rows = [
        StoredEvent(aggregate=aggregate, version=version, type=event.type, data=event.data, metadata=event.metadata)
        for version, event in enumerate(events, start=expected_version + 1)
    ]
    try:
        with transaction.atomic():
            StoredEvent.objects.bulk_create(rows)
    except IntegrityError as error:  # somebody appended between the look and the write
        raise ConcurrentWrite(
            aggregate=aggregate, expected_version=expected_version, actual_version=version_of(aggregate)
        ) from error
    return expected_version + len(rows)


def load(aggregate: str) -> list[RecordedEvent]:
    """The aggregate's events, oldest first; empty when it does not exist."""
    rows = StoredEvent.objects.filter(aggregate=aggregate).order_by("version")
    fields = ("version", "type", "data", "metadata", "recorded_at")
    return [RecordedEvent(**row) for row in rows.values(*fields)]


def version_of(aggregate: str) -> int:
    """The aggregate's newest version; 0 when it does not exist."""
    newest = StoredEvent.objects.filter(aggregate=aggregate).aggregate(Max("version"))
    return newest["version__max"] or 0
