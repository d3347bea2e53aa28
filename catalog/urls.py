"""Addresses of the catalog: viewers at the root, studios below /studio/."""

from django.urls import URLPattern, URLResolver, include, path

from . import media_views
from .views import releases, shell, studio, viewer

release_urls = [
    path("", releases.edit, name="studio_release"),
    path("asset/", releases.asset, name="studio_asset"),
    path("publishing/", releases.publishing, name="studio_publishing"),
    path("publish/", releases.publish, name="studio_publish"),
    path("schedule/", releases.schedule, name="studio_schedule"),
    path("recall/", releases.recall, name="studio_recall"),
]
studio_urls: list[URLPattern | URLResolver] = [
    path("", studio.overview, name="studio_overview"),
    path("releases/", studio.releases, name="studio_releases"),
    path("releases/new/", releases.new, name="studio_release_new"),
    path("releases/<uuid:release_id>/", include(release_urls)),
    path("titles/", studio.titles, name="studio_titles"),
    path("titles/new/", studio.title_new, name="studio_title_new"),
    path("titles/<slug:title>/", studio.title_edit, name="studio_title"),
    path("analytics/", studio.analytics, name="studio_analytics"),
    path("team/", studio.team, name="studio_team"),
    path("tokens/", studio.tokens, name="studio_tokens"),
    path("tokens/<int:token_id>/revoke/", studio.token_revoke, name="studio_token_revoke"),
]
urlpatterns = [
    path("", viewer.home, name="home"),
    path("browse/", viewer.browse_all, name="browse_all"),
    path("browse/<slug:category>/", viewer.browse, name="browse"),
    path("search/", viewer.search, name="search"),
    path("titles/<slug:slug>/", viewer.title, name="title"),
    path("studio/", studio.studios, name="studio"),
    path("studio/<slug:studio>/", include(studio_urls)),
    path("media/<path:path>", media_views.serve_media, name="media"),
    path("offline/", shell.offline, name="offline"),
    path("service-worker.js", shell.service_worker, name="service_worker"),
]
