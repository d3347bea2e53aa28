"""Outbound deliveries against bare asynchronous clients: the same library, concurrency and receiver, no database.

Ours claims, signs or encrypts, sends and settles; a bare client signs or encrypts and sends. Receivers are processes of
their own.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.db.models import Count, Max
from django.test import override_settings
from django.utils import timezone

from accounts.clock import database_now
from accounts.commands import create_viewer
from broker.models import DeadLetter
from notifications.models import Kind, Notification
from notifications.outbound import sender
from notifications.outbound.models import Channel, Circuit, Delivery, Endpoint
from notifications.outbound.parcels import DeliveryKey, Parcel, card_of
from notifications.outbound.webhook.signing import new_secret

from .live_contenders import free_port
from .outbound_bare import bare, browser_keys
from .plot import beside_baselines
from .report import Row, row_ratio

LOOPBACK = "127.0.0.1"
RUNS = 5
PAIRS = 13  # of runs with and without a host that hangs: each comes first in every other one
COUNT = {Channel.WEBHOOK: 4000, Channel.MAIL: 600, Channel.WEB_PUSH: 1000}
HUNG = 100  # deliveries to a host that hangs, beside those to one that does not
AT_LEAST = 0.5
SLOWER_AT_MOST = 0.10
LANE = 101
PLOT = Path("bench/results/outbound.svg")


def run() -> list[Row]:
    """Measure every channel, a receiver that fails, and a host that hangs."""
    web, mail = free_port(), free_port()
    settings = {
        "OUTBOUND_ALLOW_PRIVATE": True,
        "OUTBOUND_BACKOFF_SECONDS": 0.2,
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": LOOPBACK,
        "EMAIL_PORT": mail,
    }
    with override_settings(**settings), receivers(web, mail):
        address = f"http://{LOOPBACK}:{web}"
        rates = [channel_row(channel, f"{address}/ok") for channel in COUNT]
        PLOT.write_text(beside_baselines("Deliveries a second, beside a bare client", rates))
        return [
            *rates,
            *(row for channel in COUNT for row in failure_rows(channel, address)),
            hanging_row(address, f"http://localhost:{web}/hang"),
        ]


@contextmanager
def receivers(*ports: int) -> Iterator[None]:
    """The sinks, for the web and for mail, until the block ends."""
    process = subprocess.Popen([sys.executable, "-m", "bench.outbound_sinks", *map(str, ports)])
    try:
        for port in ports:
            _wait_for(port)
        yield
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    while True:
        try:
            socket.create_connection((LOOPBACK, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


# --- Ours -----------------------------------------------------------------------------------------------------------
def make_endpoints(channel: Channel, count: int, url: str) -> list[Endpoint]:
    """`count` endpoints of one new viewer, whose mail address begins with the url's path."""
    manner, key = url.rpartition("/")[2], browser_keys()
    viewer = create_viewer(email=f"{manner}-{uuid4().hex[:8]}@bench.example", password=uuid4().hex)
    rows = [
        Endpoint(
            viewer_id=viewer.pk,
            channel=channel,
            address=f"{url}/{number}",
            host="mail" if channel == Channel.MAIL else url.split("/")[2],
            secret=new_secret(),
            push_key=key.push_key,
            push_auth=key.push_auth,
        )
        for number in range(count)
    ]
    return Endpoint.objects.bulk_create(rows)


def make_deliveries(endpoints: Sequence[Endpoint]) -> Notification:
    """A new notification, with a delivery to each of these endpoints that is due now."""
    notification = Notification.objects.create(
        subject=f"bench:{uuid4()}",
        subject_version=1,
        kind=Kind.PREMIERE,
        title="Premiere: The Long Night",
        body="A town waits for the sun. " * 8,
        url="/titles/the-long-night/",
        studio="Aurora Pictures",
        category="Movies",
        published_at=timezone.now(),
    )
    Delivery.objects.bulk_create(
        Delivery(
            notification_id=notification.pk,
            viewer_id=endpoint.viewer_id,
            channel=endpoint.channel,
            endpoint_id=endpoint.pk,
            lane=LANE,
        )
        for endpoint in endpoints
    )
    return notification


def parcels_of(endpoints: Sequence[Endpoint]) -> list[Parcel]:
    """What a bare client is given: the same as a claim gives to ours."""
    card = card_of(make_deliveries([]))
    return [
        Parcel(
            key=DeliveryKey(card.id, endpoint.viewer_id, endpoint.channel, endpoint.pk),
            token=uuid4(),
            lane=LANE,
            attempts=1,
            host=endpoint.host,
            address=endpoint.address,
            email="somebody@bench.example",
            push_key=endpoint.push_key,
            push_auth=endpoint.push_auth,
            secrets=(endpoint.secret,),
            card=card,
        )
        for endpoint in endpoints
    ]


def ours(endpoints: Sequence[Endpoint]) -> float:
    """Deliveries a second, from the first claim to the last settlement."""
    notification = make_deliveries(endpoints)
    started = database_now()
    sender.drain(lanes=[LANE])
    made = Delivery.objects.filter(notification_id=notification.pk)
    ended = made.filter(state="sent").aggregate(count=Count("state"), last=Max("finished_at"))
    if ended["count"] != len(endpoints):
        raise RuntimeError(f"{len(endpoints) - ended['count']} deliveries were not sent")
    return len(endpoints) / float((ended["last"] - started).total_seconds())


# --- Rows -----------------------------------------------------------------------------------------------------------
def channel_row(channel: Channel, url: str) -> Row:
    """Our rate beside that of a bare client, in turns; of the pair with the median ratio, as machines change speed."""
    endpoints = make_endpoints(channel, COUNT[channel], url)
    parcels = parcels_of(endpoints)
    rates = [(asyncio.run(bare(channel, parcels, at_once=sender.PER_HOST)), ours(endpoints)) for _ in range(RUNS)]
    baseline, value = sorted(rates, key=lambda pair: pair[1] / pair[0])[RUNS // 2]
    metric = f"{channel.label}, {sender.PER_HOST} at once"
    return row_ratio(scenario="outbound", metric=metric, value=value, unit="/s", baseline=baseline, at_least=AT_LEAST)


def failure_rows(channel: Channel, address: str) -> list[Row]:
    """With a tenth of first attempts failing, and a hundredth for good: all sent or dead, under one key each."""
    _forget_seen(address)
    endpoints = [
        *make_endpoints(channel, COUNT[channel], f"{address}/flaky"),
        *make_endpoints(channel, COUNT[channel] // 100, f"{address}/broken"),
    ]
    with override_settings(OUTBOUND_MAX_ATTEMPTS=4):
        notification = make_deliveries(endpoints)
        deliveries = Delivery.objects.filter(notification_id=notification.pk)
        while deliveries.filter(state="open").exists():
            sender.drain(lanes=[LANE])
    states = dict(deliveries.values_list("state").annotate(count=Count("state")))
    letters = DeadLetter.objects.filter(body__data__notification_id=notification.pk).count()
    seen: dict[str, list[int]] = _ask(address)["seen"]
    twice = sum(taken > 1 for taken, _ in seen.values())
    unknown = len(seen) - len(endpoints)
    all_ended = states.get("sent", 0) + letters == len(endpoints) and states.get("dead", 0) == letters
    return [
        Row(
            scenario="outbound",
            metric=f"{channel.label}, {len(endpoints)}, 10 % failing: sent or dead-lettered",
            value=states.get("sent", 0) + letters,
            unit="",
            goal=f"= {len(endpoints)}",
            met=all_ended,
        ),
        Row(
            scenario="outbound",
            metric="… taken twice, or under a key that is no delivery's",
            value=twice + abs(unknown),
            unit="",
            goal="= 0",
            met=not twice and not unknown,
        ),
    ]


def hanging_row(address: str, hanging: str) -> Row:
    """How much slower deliveries to one host are while another hangs."""
    # Together so many as in the rows above: of more, a sender does not remember all secrets.
    endpoints = make_endpoints(Channel.WEBHOOK, COUNT[Channel.WEBHOOK] - HUNG, f"{address}/ok")
    hung = make_endpoints(Channel.WEBHOOK, HUNG, hanging)
    pairs = []
    for number in range(PAIRS):
        seconds = {}
        for others in ([], hung) if number % 2 else (hung, []):
            seconds[bool(others)] = _seconds_until_last(address, endpoints, others)
            Delivery.objects.filter(lane=LANE, state="open").delete()
            Circuit.objects.all().delete()
        pairs.append((seconds[False], seconds[True]))
    # A pair ran one after the other: within minutes a machine's speed may change by more than what is measured.
    baseline, value = sorted(pairs, key=lambda pair: pair[1] / pair[0])[PAIRS // 2]
    return Row(
        scenario="outbound",
        metric=f"{len(endpoints)} webhooks while another host hangs",
        value=round(value, 2),
        unit="s",
        baseline=round(baseline, 2),
        ratio=round(value / baseline, 2),
        goal=f"<= {1 + SLOWER_AT_MOST:g} x without it",
        met=value <= (1 + SLOWER_AT_MOST) * baseline,
    )


def _seconds_until_last(address: str, endpoints: Sequence[Endpoint], hung: Sequence[Endpoint]) -> float:
    """From the start of a drain to the receiver's last request, whatever still hangs then."""
    _forget_seen(address)
    make_deliveries(hung)
    make_deliveries(endpoints)
    started = time.time()
    with override_settings(OUTBOUND_SECONDS=3.0):
        sender.drain(lanes=[LANE], seconds=10.0)
    return float(_ask(address)["last"]) - started


def _ask(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address}/seen", timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def _forget_seen(address: str) -> None:
    request = urllib.request.Request(f"{address}/seen", method="DELETE")
    urllib.request.urlopen(request, timeout=30).close()
