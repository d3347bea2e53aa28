"""The app `notifications`."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Django's handle on the app."""

    name = "notifications"

    def ready(self) -> None:
        """Make the schemas of our messages known to the broker."""
        from . import events  # noqa: F401, PLC0415 - models must be loaded first
        from .announcements import events as announcements  # noqa: F401, PLC0415 - as above
        from .outbound import registration  # noqa: F401, PLC0415 - as above
