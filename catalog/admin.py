"""The catalog in the console. Releases are made of events, so they are for looking."""

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from broker.console import ReadOnlyAdmin

from .models import Asset, Release, Studio, StudioMember, Title


class StudioMemberInline(TabularInline):  # type: ignore[misc]  # unfold is not annotated
    """The team."""

    model = StudioMember
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Studio)
class StudioAdmin(ModelAdmin):  # type: ignore[misc]
    """Studios with their teams."""

    list_display = ("name", "slug", "tagline", "created_at")
    search_fields = ("name", "slug")
    readonly_fields = ("created_at",)
    inlines = (StudioMemberInline,)


@admin.register(Title)
class TitleAdmin(ModelAdmin):  # type: ignore[misc]
    """Titles of all studios."""

    list_display = ("name", "studio", "type", "category", "maturity", "year")
    list_filter = ("category", "type", "studio")
    list_select_related = ("studio",)
    search_fields = ("name", "slug")
    readonly_fields = ("slug", "studio", "category", "type", "created_at")

    def has_add_permission(self, request: object) -> bool:
        return False


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    """Releases as their events left them."""

    list_display = ("headline", "title", "kind", "state", "version", "published_at", "updated_at")
    list_filter = ("state", "kind", "title__category", "title__studio")
    list_select_related = ("title",)
    search_fields = ("headline", "title__name", "=id")
    date_hierarchy = "published_at"
    ordering = ("-updated_at",)


@admin.register(Asset)
class AssetAdmin(ReadOnlyAdmin):
    """Uploaded videos and how far the encoder is."""

    list_display = ("source_name", "state", "percent", "rung", "duration", "width", "height", "created_at")
    list_filter = ("state",)
    search_fields = ("source_name", "=id")
    ordering = ("-created_at",)
