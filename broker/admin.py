"""The broker in the console: all of it for looking. Tables with a composite key have no page: Django's admin cannot."""

from typing import ClassVar

from django.contrib import admin
from django.utils.safestring import SafeString

from .console import ReadOnlyAdmin, pretty
from .models import DeadLetter, Lease, OutboxMessage, StoredEvent, WorkItem


class BodyAdmin(ReadOnlyAdmin):
    """A row with a message in `body`, shown as JSON that can be read."""

    exclude = ("body",)
    readonly_fields = ("message",)

    @admin.display(description="Message")
    def message(self, row: OutboxMessage | WorkItem | DeadLetter) -> SafeString:
        return pretty(row.body)


@admin.register(OutboxMessage)
class OutboxMessageAdmin(BodyAdmin):
    """What was published, and what of it is relayed."""

    list_display = ("id", "type", "key", "exchange", "routing_key", "position", "created_at", "relayed_at")
    list_filter = ("type", "exchange", ("relayed_at", admin.EmptyFieldListFilter))
    search_fields = ("key", "=message_id")
    ordering = ("-id",)


@admin.register(WorkItem)
class WorkItemAdmin(BodyAdmin):
    """What waits for workers, and what became of it."""

    list_display = ("id", "queue", "state", "attempts", "next_attempt_at", "started_at", "finished_at", "error_line")
    list_filter = ("queue", "state")
    ordering = ("-id",)

    @admin.display(description="Last error")
    def error_line(self, row: WorkItem) -> str:
        return row.last_error[:80]


@admin.register(DeadLetter)
class DeadLetterAdmin(BodyAdmin):
    """What waits for somebody to decide."""

    list_display = ("id", "reason", "state", "origin", "key", "attempts", "error_line", "created_at")
    list_filter = ("state", "reason", "origin")
    search_fields = ("key", "error", "=message_id")
    ordering = ("-id",)

    @admin.display(description="Error")
    def error_line(self, row: DeadLetter) -> str:
        return row.error[:80]


@admin.register(StoredEvent)
class StoredEventAdmin(ReadOnlyAdmin):
    """What happened to aggregates, for good."""

    list_display = ("aggregate", "version", "type", "recorded_at")
    list_filter = ("type",)
    search_fields = ("=aggregate",)
    ordering = ("-id",)
    exclude = ("data", "metadata")
    readonly_fields: ClassVar[tuple[str, ...]] = ("facts",)

    @admin.display(description="Data")
    def facts(self, row: StoredEvent) -> SafeString:
        return pretty({"data": row.data, "metadata": row.metadata})


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    """Who holds which right."""

    list_display = ("name", "owner", "generation", "expires_at")
