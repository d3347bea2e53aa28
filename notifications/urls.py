"""Addresses of notifications. Fragments are what other apps' pages load."""

from django.urls import path

from . import views

urlpatterns = [
    path("notifications/", views.inbox, name="inbox"),
    path("notifications/read/", views.read, name="read"),
    path("notifications/<int:notification_id>/why/", views.why, name="why"),
    path("notifications/topics/", views.topics, name="topics"),
    path("notifications/fragments/bell/", views.bell, name="bell"),
    path("notifications/fragments/follow/", views.follow, name="follow"),
    path("notifications/fragments/follow-panel/", views.follow_panel, name="follow_panel"),
]
