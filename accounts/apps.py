"""The app `accounts`."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Django's handle on the app."""

    name = "accounts"

    def ready(self) -> None:
        """Make the schemas of our messages known to the broker, and tell of what Django does to users and sessions."""
        from . import events, standing  # noqa: F401, PLC0415 - models must be loaded first

        standing.watch()
