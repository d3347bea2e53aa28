"""The app `catalog`."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Django's handle on the app."""

    name = "catalog"

    def ready(self) -> None:
        """Make the schemas of the catalog's messages known."""
        from . import events  # noqa: F401, PLC0415  # models are loaded only now
