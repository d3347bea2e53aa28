"""Every address of the platform."""

from django.contrib import admin
from django.urls import include, path, re_path

from . import asyncapi, health
from .api import api, unknown_address

handler500 = "ott.failures.server_error"

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("api/v1/asyncapi.json", asyncapi.asyncapi_json, name="asyncapi_json"),
    path("api/v1/", api.urls),
    re_path("^api/", unknown_address),
    path("asyncapi/", asyncapi.asyncapi_page, name="asyncapi"),
    path("console/", admin.site.urls),
    path("accounts/", include("accounts.urls")),  # ours come first
    path("accounts/", include("allauth.urls")),
    path("", include("notifications.urls")),
    path("", include("catalog.urls")),
]
