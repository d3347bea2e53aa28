"""Announcements in the console: draft, look at it as viewers will, publish, withdraw."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from accounts.models import User

from .commands import add_draft, delete_draft, edit_draft
from .models import Announcement
from .page import AnnouncementPage
from .permissions import may_edit


@admin.register(Announcement)
class AnnouncementAdmin(ModelAdmin):  # type: ignore[misc]  # unfold is not annotated
    """Drafts are edited here, by their author or whoever may publish; all else happens on the preview page."""

    list_display = ("title", "state", "author", "published_at", "expires_at", "preview")
    list_filter = ("state",)
    list_select_related = ("author",)
    search_fields = ("title", "body")
    ordering = ("-pk",)
    fields = ("title", "body", "url", "expires_at")
    actions: ClassVar[None] = None  # deleting many would pass over whose drafts they are

    def get_urls(self) -> list[Any]:
        """The page with the preview stands beside the form."""
        page = self.admin_site.admin_view(AnnouncementPage.as_view(model_admin=self))
        return [path("<int:pk>/preview/", page, name="notifications_announcement_preview"), *super().get_urls()]

    @admin.display(description="As viewers see it")
    def preview(self, row: Announcement) -> SafeString:
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">Open</a>', _preview(row))

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if isinstance(obj, Announcement) and isinstance(request.user, User):
            return may_edit(request.user, obj)
        return bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if isinstance(obj, Announcement) and isinstance(request.user, User):
            return may_edit(request.user, obj)
        return bool(super().has_delete_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: Announcement, form: BaseForm, change: bool) -> None:
        (edit_draft if change else add_draft)(announcement=obj, actor=_actor(request))

    def delete_model(self, request: HttpRequest, obj: Announcement) -> None:
        delete_draft(announcement_id=obj.pk, actor=_actor(request))

    def response_add(
        self, request: HttpRequest, obj: Announcement, post_url_continue: str | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(_preview(obj))

    def response_change(self, request: HttpRequest, obj: Announcement) -> HttpResponse:
        return HttpResponseRedirect(_preview(obj))


def _preview(announcement: Announcement) -> str:
    return reverse("admin:notifications_announcement_preview", args=[announcement.pk])


def _actor(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError("the console lets nobody in who is not signed in")
    return request.user
