"""The composition root: the one app that may import every other."""

from django.apps import AppConfig


class OttConfig(AppConfig):
    """Marquee itself."""

    name = "ott"
    verbose_name = "Marquee"
