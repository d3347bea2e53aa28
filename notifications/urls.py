"""Addresses of notifications. Fragments are what other apps' pages load."""

from django.urls import path
from django.views.generic import RedirectView

from . import views
from .insight import opening
from .insight import views as insight
from .outbound import preferences_views
from .outbound import views as outbound
from .outbound.web_push import popups
from .reminders import views as reminders

urlpatterns = [
    path("notifications/", views.inbox, name="inbox"),
    path("notifications/read/", views.read, name="read"),
    *(path(f"notifications/{act}/", views.mark, {"act": act}, name=act) for act in views.ACTS),
    path("notifications/over/<str:mark>/", popups.over, name="popups_over"),
    path("notifications/<int:notification_id>/opened/", opening.opened, name="opened"),
    path("notifications/<int:notification_id>/opened/<str:mark>/", opening.opened_from, name="opened_from"),
    path("notifications/<int:notification_id>/why/", views.why, name="why"),
    path("notifications/topics/", views.topics, name="topics"),
    path("notifications/preferences/", preferences_views.preferences, name="preferences"),
    path("notifications/channels/", RedirectView.as_view(pattern_name="preferences")),  # as older mails link to it
    path("notifications/channels/mail/", outbound.mail, name="channel_mail"),
    path("notifications/channels/browsers/", outbound.browser, name="channel_browser"),
    path("notifications/channels/browsers/off/", outbound.browser_off, name="channel_browser_off"),
    path("notifications/channels/webhooks/", outbound.webhook, name="channel_webhook"),
    path("notifications/channels/<int:endpoint_id>/test/", preferences_views.send_test, name="channel_test"),
    path(
        "notifications/channels/<int:endpoint_id>/test/<int:notification_id>/",
        preferences_views.test_result,
        name="channel_test_result",
    ),
    path("notifications/channels/<int:endpoint_id>/<slug:act>/", outbound.change, name="channel_change"),
    path("unsubscribe/<str:token>/", outbound.unsubscribe, name="unsubscribe"),
    path("notifications/fragments/bell/", views.bell, name="bell"),
    path("notifications/fragments/follow/", views.follow, name="follow"),
    path("notifications/mute/", views.mute, name="mute"),
    path("notifications/fragments/remind/<uuid:release_id>/", reminders.remind, name="remind"),
    path("notifications/fragments/follow-panel/", views.follow_panel, name="follow_panel"),
    path("notifications/fragments/insight/", insight.insight, name="insight"),
    path("notifications/fragments/insights/", insight.insights, name="insights"),
]
