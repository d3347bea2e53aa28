"""Sends webhooks."""

import json
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import aiohttp
from django.conf import settings

from notifications.clock import clock
from notifications.outbound.http import post
from notifications.outbound.outcomes import SENT, Outcome, Verdict, ended, failed, is_busy, seconds_of
from notifications.outbound.parcels import Card, Parcel

from .signing import signed_headers


class WebhookChannel:
    """Posts a notification as JSON. 2xx is taken; 410 and a redirect switch the endpoint off; the rest is retried."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def send(self, parcel: Parcel, card: Card) -> Outcome:
        """One attempt."""
        if not parcel.secrets:
            # Another process may have the key already; its owner can replace the secret.
            return Outcome(verdict=Verdict.RETRY, error="Its signing secret cannot be read: replace it.")
        body = payload(card)
        headers = signed_headers(
            message_id=str(parcel.key), timestamp=int(clock.time()), body=body, keys=parcel.secrets
        )
        headers["Content-Type"] = "application/json"
        answer = await post(self._http, parcel.address, data=body, headers=headers)
        return answer if isinstance(answer, Outcome) else _meaning(answer.status, answer.retry_after)

    async def close(self) -> None:
        """Nothing of its own is open."""


def _meaning(status: int, retry_after: str | None) -> Outcome:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return SENT
    if status == HTTPStatus.GONE:
        return ended(Verdict.GONE, "It answered 410: it is gone.")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return ended(Verdict.GONE, f"It answered {status}: redirects are not followed.")
    outcome = failed(f"It answered {status}.", retry_after=seconds_of(retry_after))
    return outcome if is_busy(status) else Outcome(verdict=Verdict.RETRY, error=outcome.error)


@lru_cache(maxsize=256)
def payload(card: Card) -> bytes:
    """The body: the same bytes for every receiver."""
    data: dict[str, Any] = {
        "id": card.id,
        "revision": card.revision,
        "kind": card.kind,
        "title": card.title,
        "body": card.body,
        "url": f"{settings.OTT_SITE_URL}{card.url}",
        "image": f"{settings.OTT_SITE_URL}{card.image}" if card.image else None,
        "studio": card.studio,
        "category": card.category,
        "published_at": card.published_at.isoformat(),
        "expires_at": card.expires_at.isoformat() if card.expires_at else None,
    }
    document = {"type": "notification.posted", "timestamp": card.published_at.isoformat(), "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
