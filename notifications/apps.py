"""The app `notifications`."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Django's handle on the app."""

    name = "notifications"

    def ready(self) -> None:
        """Make the schemas of our messages known to the broker; let the hubs hear whose standing changed."""
        from accounts.standing import StandingChanged  # noqa: PLC0415 - as below
        from broker.bus import bus  # noqa: PLC0415 - as below

        from . import events  # noqa: F401, PLC0415 - models must be loaded first
        from .announcements import events as announcements  # noqa: F401, PLC0415 - as above
        from .live.push import hint_standing  # noqa: PLC0415 - as above
        from .outbound import registration  # noqa: F401, PLC0415 - as above

        bus.subscribe(StandingChanged, hint_standing)
