"""Sends browser pushes."""

import hashlib
import json
from functools import lru_cache
from http import HTTPStatus

import aiohttp
from django.urls import reverse
from pywebpush import WebPusher, WebPushException

from notifications.clock import clock
from notifications.insight import marks
from notifications.outbound.http import post
from notifications.outbound.models import Lane
from notifications.outbound.outcomes import SENT, Outcome, Verdict, ended, failed, is_busy, seconds_of
from notifications.outbound.parcels import Card, Parcel

from .keys import authorization

DAY = 24 * 3600
URGENCY = {Lane.LIVE: "high", Lane.RELEASE: "normal", Lane.DIGEST: "low"}  # RFC 8030, 5.3
MAX_BODY = 600  # characters: with the rest and the encryption it stays well below the 4096 bytes of RFC 8030
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class WebPushChannel:
    """Posts an encrypted notification to the service of the browser's maker."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def send(self, parcel: Parcel, card: Card) -> Outcome:
        """One attempt."""
        keys = {"p256dh": parcel.push_key, "auth": parcel.push_auth}
        try:
            pusher = WebPusher({"endpoint": parcel.address, "keys": keys})
            mark = marks.mark_of(viewer_id=parcel.key.viewer_id)
            body = pusher.encode(payload(card).replace(marks.HERE.encode(), mark.encode()))["body"]
        except (ValueError, TypeError, IndexError, WebPushException):
            return ended(Verdict.GONE, "The browser's keys cannot be used.")
        headers = {
            "Authorization": authorization(parcel.address),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(_seconds_of_use(card)),
            "Urgency": URGENCY[Lane(parcel.lane)] if parcel.lane in Lane else "normal",
            "Topic": topic_of(card.id),
        }
        answer = await post(self._http, parcel.address, data=body, headers=headers)
        return answer if isinstance(answer, Outcome) else _meaning(answer.status, answer.retry_after)

    async def close(self) -> None:
        """Nothing of its own is open."""


def _meaning(status: int, retry_after: str | None) -> Outcome:
    if HTTPStatus(200) <= status < HTTPStatus(300):
        return SENT
    if status in _GONE or HTTPStatus(300) <= status < HTTPStatus(400):
        return ended(Verdict.GONE, f"The browser's push service answered {status}: the subscription has ended.")
    if is_busy(status):
        return failed(f"The push service answered {status}.", retry_after=seconds_of(retry_after))
    return ended(Verdict.REFUSED, f"The push service answered {status}.")


def topic_of(notification_id: int) -> str:
    """A push of the same topic replaces one that still waits: at most 32 characters of base64url (RFC 8030, 5.4)."""
    return hashlib.sha256(f"notification:{notification_id}".encode()).hexdigest()[:32]


def _seconds_of_use(card: Card) -> int:
    if card.expires_at is None:
        return DAY
    return max(0, min(DAY, int(card.expires_at.timestamp() - clock.time())))


@lru_cache(maxsize=256)
def payload(card: Card) -> bytes:
    """What the service worker is given; whose it is stands in the place of `marks.HERE`."""
    document = {
        "id": card.id,
        "title": card.title,
        "body": card.body if len(card.body) <= MAX_BODY else card.body[: MAX_BODY - 1] + "…",
        "url": card.url,
        "opened": marks.marked_path(card.id),
        "over": reverse("popups_over", args=[marks.HERE]),
        "image": card.image,
        "tag": f"notification:{card.id}",
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
