"""The app `broker`."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class BrokerConfig(AppConfig):
    """Django's handle on the app."""

    name = "broker"

    def ready(self) -> None:
        """Learn the schemas of all messages: every app has them in its module `events`. Log what the bus tells."""
        from . import observers  # noqa: PLC0415 - models are loaded only now

        autodiscover_modules("events")
        observers.subscribe()
