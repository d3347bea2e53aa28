"""Addresses below /accounts/ that are ours; the others are django-allauth's."""

from django.urls import path

from . import views

urlpatterns = [path("profile/", views.profile, name="profile")]
