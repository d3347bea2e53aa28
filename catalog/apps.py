"""The app `catalog`."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Django's handle on the app."""

    name = "catalog"
