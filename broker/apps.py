"""The app `broker`."""

from django.apps import AppConfig


class BrokerConfig(AppConfig):
    """Django's handle on the app."""

    name = "broker"
