"""The broker in the console: all of it for looking. Tables with a composite key have no page: Django's admin cannot."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.forms import ChoiceField
from django.forms import Field as FormField
from django.http import HttpRequest
from django.urls import path
from django.utils.safestring import SafeString

from . import queues
from .console import ReadOnlyAdmin, pretty
from .console_pages import DECIDE, DeadLetterPage, GroupsPage
from .dead_letter_commands import discard_each
from .models import DeadLetter, Lease, OperatorAction, OutboxMessage, PausedQueue, StoredEvent, WorkItem
from .replay import replay_each


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


@admin.register(PausedQueue)
class PausedQueueAdmin(ReadOnlyAdmin):
    """Adding a queue pauses it; deleting it here resumes it."""

    fields = ("queue",)
    list_display = ("queue", "paused_at")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> FormField:
        """The one field there is: the queues that are not paused, to choose from."""
        names = [each.queue.name for each in queues.states() if not each.is_paused]
        return ChoiceField(choices=[(name, name) for name in names])

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: PausedQueue, form: Any, change: bool) -> None:
        queues.pause(queue=obj.queue, actor=request.user.get_username())

    def delete_model(self, request: HttpRequest, obj: PausedQueue) -> None:
        queues.resume(queue=obj.queue, actor=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[PausedQueue]") -> None:
        for each in queryset:
            self.delete_model(request, each)


@admin.register(DeadLetter)
class DeadLetterAdmin(BodyAdmin):
    """What waits for somebody to decide; each has a page of its own to do so."""

    list_display = ("id", "reason", "state", "origin", "key", "attempts", "replays", "error_line", "created_at")
    list_filter = ("state", "reason", "origin")
    search_fields = ("key", "error", "=message_id")
    ordering = ("-id",)
    actions = ("replay_selected", "discard_selected")

    def get_urls(self) -> list[Any]:
        """The page to decide on takes the place of the one that only shows."""
        page = self.admin_site.admin_view(DeadLetterPage.as_view(model_admin=self))
        return [path("<int:pk>/change/", page, name="broker_deadletter_change"), *super().get_urls()]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Asked by Django for the actions below."""
        return request.user.has_perm(DECIDE)

    @admin.action(description="Replay to where they failed", permissions=["decide"])
    def replay_selected(self, request: HttpRequest, chosen: "QuerySet[DeadLetter]") -> None:
        outcome = replay_each(chosen.values_list("pk", flat=True), actor=request.user.get_username())
        text = f"{outcome.replayed} replayed, {outcome.failed} failed again, {outcome.passed} parked or decided already"
        self.message_user(request, text, messages.WARNING if outcome.failed else messages.SUCCESS)

    @admin.action(description="Discard", permissions=["decide"])
    def discard_selected(self, request: HttpRequest, chosen: "QuerySet[DeadLetter]") -> None:
        count = discard_each(list(chosen.values_list("pk", flat=True)), actor=request.user.get_username())
        self.message_user(request, f"{count} discarded", messages.SUCCESS)

    @admin.display(description="Error")
    def error_line(self, row: DeadLetter) -> str:
        return row.error[:80]


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin):
    """Who decided what; and the page of consumer groups, whose tables have no page in Django's admin."""

    list_display = ("at", "actor", "verb", "target")
    list_filter = ("verb",)
    search_fields = ("actor", "=target")
    ordering = ("-id",)
    exclude = ("before", "after")
    readonly_fields: ClassVar[tuple[str, ...]] = ("was", "became")

    def get_urls(self) -> list[Any]:
        """Consumer groups stand beside what was decided about them."""
        page = self.admin_site.admin_view(GroupsPage.as_view(model_admin=self))
        return [path("groups/", page, name="broker_groups"), *super().get_urls()]

    @admin.display(description="Before")
    def was(self, row: OperatorAction) -> SafeString:
        return pretty(row.before)

    @admin.display(description="After")
    def became(self, row: OperatorAction) -> SafeString:
        return pretty(row.after)


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
