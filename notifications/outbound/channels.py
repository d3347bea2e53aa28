"""The ways out, as a sender uses them."""

from contextlib import AsyncExitStack
from typing import Protocol, Self

from django.conf import settings

from .http import session
from .mail.backend import BackendChannel
from .mail.smtp import SmtpChannel
from .models import Channel
from .outcomes import Outcome
from .parcels import Card, Parcel
from .web_push.channel import WebPushChannel
from .webhook.channel import WebhookChannel

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


class OutboundChannel(Protocol):
    """Something that can send. It never raises because of what the other side does."""

    async def send(self, parcel: Parcel, card: Card) -> Outcome:
        """One attempt, in bounded time."""

    async def close(self) -> None:
        """Let go of connections."""


class Channels:
    """Every channel, with the connections that they keep while this is entered."""

    def __init__(self, *, per_host: int) -> None:
        self._per_host = per_host
        self._open = AsyncExitStack()
        self._by_name: dict[str, OutboundChannel] = {}

    async def __aenter__(self) -> Self:
        seconds: float = settings.OUTBOUND_SECONDS
        http = await self._open.enter_async_context(session(per_host=self._per_host, seconds=seconds))
        self._by_name = {
            Channel.MAIL: self._mail(seconds),
            Channel.WEB_PUSH: WebPushChannel(http),
            Channel.WEBHOOK: WebhookChannel(http),
        }
        for channel in self._by_name.values():
            self._open.push_async_callback(channel.close)
        return self

    def _mail(self, seconds: float) -> OutboundChannel:
        if settings.EMAIL_BACKEND == SMTP_BACKEND:
            return SmtpChannel(seconds=seconds)
        # Django's own backends print or write: several at once would write into one another.
        at_once = 1 if settings.EMAIL_BACKEND.startswith("django.") else self._per_host
        return BackendChannel(at_once=at_once, seconds=seconds)

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def send(self, parcel: Parcel, card: Card) -> Outcome:
        """One attempt on the parcel's channel."""
        return await self._by_name[parcel.key.channel].send(parcel, card)
