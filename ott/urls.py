"""Every address of the platform."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from . import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("console/", admin.site.urls),
]
for _prefix, _module in (("", "catalog.urls"), ("", "notifications.urls"), ("accounts/", "accounts.urls")):
    if find_spec(_module):
        urlpatterns.append(path(_prefix, include(_module)))
if find_spec("catalog.api") and find_spec("notifications.api"):
    from .api import api

    urlpatterns.append(path("api/v1/", api.urls))
urlpatterns.append(path("accounts/", include("allauth.urls")))
