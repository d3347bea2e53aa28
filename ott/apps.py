"""The composition root: the one app that may import every other."""

from django.apps import AppConfig


class OttConfig(AppConfig):
    """Marquee itself."""

    name = "ott"
    verbose_name = "Marquee"

    def ready(self) -> None:
        """Make our Celery app the one that every process wakes workers with; add our numbers to /metrics."""
        from . import celery, metrics  # noqa: F401, PLC0415 - they read settings and models

        metrics.register()
