"""Notifications in the console, for looking."""

from typing import Any

from django.contrib import admin
from django.urls import path

from broker.console import ReadOnlyAdmin

from .announcements.admin import AnnouncementAdmin
from .console_pages import WhyPage
from .models import Notification, Subscription, Topic

__all__ = ["AnnouncementAdmin"]


@admin.register(Topic)
class TopicAdmin(ReadOnlyAdmin):
    """Topics and how far they are."""

    list_display = ("name", "label", "head")
    search_fields = ("name", "label")
    ordering = ("name",)


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """What viewers see."""

    list_display = ("title", "kind", "studio", "category", "revision", "recalled", "published_at", "expires_at")
    list_filter = ("kind", "recalled", "category")
    search_fields = ("title", "=subject")
    date_hierarchy = "published_at"
    ordering = ("-id",)

    def get_urls(self) -> list[Any]:
        """Why somebody did or did not get one."""
        page = self.admin_site.admin_view(WhyPage.as_view(model_admin=self))
        return [path("why/", page, name="notifications_why"), *super().get_urls()]


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Who follows what, and from when to when."""

    list_display = ("viewer", "topic_name", "kinds", "from_seq", "until_seq", "created_at")
    list_filter = (("until_seq", admin.EmptyFieldListFilter),)
    list_select_related = ("viewer", "topic")
    search_fields = ("viewer__email", "=topic__name")
    ordering = ("-id",)

    @admin.display(description="Topic", ordering="topic__name")
    def topic_name(self, row: Subscription) -> str:
        return row.topic.name
