"""Bare asynchronous clients: what the libraries can do with nothing around them."""

import asyncio
import base64
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import aiohttp
import aiosmtplib
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from pywebpush import WebPusher

from notifications.outbound.mail.messages import message_for
from notifications.outbound.models import Channel
from notifications.outbound.parcels import Parcel
from notifications.outbound.web_push.channel import payload as push_payload
from notifications.outbound.web_push.keys import authorization
from notifications.outbound.webhook.channel import payload
from notifications.outbound.webhook.signing import signed_headers


@dataclass(frozen=True)
class BrowserKeys:
    """What a browser gives when it subscribes."""

    push_key: str
    push_auth: str


def browser_keys() -> BrowserKeys:
    """Keys of a browser that nobody has."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return BrowserKeys(base64.urlsafe_b64encode(point).rstrip(b"=").decode(), "MDEyMzQ1Njc4OWFiY2RlZg")


async def bare(channel: Channel, parcels: Sequence[Parcel], *, at_once: int) -> float:
    """Requests a second of `at_once` loops that share the parcels."""
    waiting, started = iter(parcels), time.perf_counter()
    if channel == Channel.MAIL:
        await asyncio.gather(*(_mails(waiting) for _ in range(at_once)))
    else:
        async with aiohttp.ClientSession() as http:
            send = _webhooks if channel == Channel.WEBHOOK else _pushes
            await asyncio.gather(*(send(http, waiting) for _ in range(at_once)))
    return len(parcels) / (time.perf_counter() - started)


async def _webhooks(http: aiohttp.ClientSession, waiting: Iterator[Parcel]) -> None:
    for parcel in waiting:
        assert parcel.card is not None
        body = payload(parcel.card)
        headers = signed_headers(message_id=str(parcel.key), timestamp=int(time.time()), body=body, keys=parcel.secrets)
        async with http.post(parcel.address, data=body, headers=headers) as response:
            await response.read()


async def _pushes(http: aiohttp.ClientSession, waiting: Iterator[Parcel]) -> None:
    for parcel in waiting:
        assert parcel.card is not None
        keys = {"p256dh": parcel.push_key, "auth": parcel.push_auth}
        pusher = WebPusher({"endpoint": parcel.address, "keys": keys}, aiohttp_session=http)
        headers = {"Authorization": authorization(parcel.address)}
        await pusher.send_async(push_payload(parcel.card), headers=headers, ttl=60)


async def _mails(waiting: Iterator[Parcel]) -> None:
    async with aiosmtplib.SMTP(hostname=settings.EMAIL_HOST, port=settings.EMAIL_PORT) as smtp:
        for parcel in waiting:
            assert parcel.card is not None
            mail = message_for(parcel, parcel.card)
            await smtp.sendmail(mail.from_email, mail.to, mail.message().as_bytes())
