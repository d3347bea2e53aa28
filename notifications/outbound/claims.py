"""Claiming deliveries, and writing down what became of them. Whoever holds the token may settle, nobody else.

The design is that of `broker.work`, for many rows at a time: a work item is claimed by the id in its wake-up, and run
alone; deliveries are found by what is due, and a hundred share a statement.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import starmap
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection, transaction

from broker.backoff import delay_after
from notifications import sql
from notifications.clock import clock
from notifications.models import KIDS_MAX_MATURITY, Notification

from .endings import bury, switch_off
from .models import Circuit, Delivery
from .outcomes import ANSWERED, Outcome, Verdict
from .parcels import MOST_CARDS, Bundle, Card, DeliveryKey, Parcel, card_of
from .sealing import unseal

LEASE_SECONDS = 90.0
FAILURES_TO_OPEN = 5
UNTRIED_SECONDS = 1.0  # until what was handed back is claimed again

_STATES = {
    Verdict.SENT: Delivery.State.SENT,
    Verdict.RETRY: Delivery.State.OPEN,
    Verdict.UNTRIED: Delivery.State.OPEN,
    Verdict.REFUSED: Delivery.State.DEAD,
    Verdict.GONE: Delivery.State.DEAD,
    Verdict.EXPIRED: Delivery.State.EXPIRED,
    Verdict.CANCELLED: Delivery.State.CANCELLED,
}
ENDS = frozenset(verdict for verdict, state in _STATES.items() if state != Delivery.State.OPEN)
Settled = tuple[Parcel, Outcome]


@dataclass(frozen=True, slots=True)
class Claimed:
    """Parcels to be sent; `seen` also counts what was due and had to be put off."""

    parcels: list[Parcel]
    seen: int


def claim(*, lane: int, limit: int, per_host: int, held: Mapping[str, int]) -> Claimed:
    """Take up to `limit` due deliveries of a lane for `LEASE_SECONDS`, so that no host has more than `per_host`.

    `held` is how many the caller holds by host.
    """
    token = uuid4()
    bound: dict[str, Any] = {"lane": lane, "limit": limit, "per_host": per_host, "token": token, "lease": LEASE_SECONDS}
    bound |= {"hosts": list(held), "held": list(held.values())}
    with transaction.atomic(), connection.cursor() as cursor:
        # A claim that a crash of the server forgets is made again; there is no need to wait for the disk.
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(sql.load("claim_deliveries"), bound)
        rows = cursor.fetchall()
        if rows:
            clock.set(rows[0][-1])
        stale = _stale([DeliveryKey(*row[3:7]) for row in rows if row[0] and row[1]])
    taken = [row[2:-1] for row in rows if row[0]]
    cards = _cards({row[1] for row in taken}.union(*(row[0][-MOST_CARDS:] for row in taken if row[0])))
    return Claimed([_parcel(row, token, cards, stale) for row in taken], len(rows))


def _stale(waited: Sequence[DeliveryKey]) -> dict[DeliveryKey, str]:
    """Why some of these, which were put off when they were made, are not wanted any more."""
    if not waited:
        return {}
    bound: dict[str, Any] = {**_columns(waited), "kids_max_maturity": KIDS_MAX_MATURITY}
    with connection.cursor() as cursor:
        cursor.execute(sql.load("stale_deliveries"), bound)
        return {DeliveryKey(*key): reason for *key, reason in cursor.fetchall()}


def _columns(keys: Sequence[DeliveryKey]) -> dict[str, Any]:
    return {
        "notifications": [key.notification_id for key in keys],
        "viewers": [key.viewer_id for key in keys],
        "channels": [key.channel for key in keys],
        "endpoints": [key.endpoint_id for key in keys],
    }


def _cards(ids: Iterable[int]) -> dict[int, Card]:
    return {pk: card_of(row) for pk, row in Notification.objects.in_bulk(list(ids)).items()}


def _parcel(row: Sequence[Any], token: Any, cards: Mapping[int, Card], stale: Mapping[DeliveryKey, str]) -> Parcel:
    (bundle, *key, lane, attempts, host, address, email, push_key, push_auth, secret, previous) = row
    return Parcel(
        key=DeliveryKey(*key),
        stale=stale.get(DeliveryKey(*key), ""),
        bundle=_bundle(bundle, cards) if bundle else None,
        token=token,
        lane=lane,
        attempts=attempts,
        host=host or "",
        address=address,
        email=email,
        push_key=push_key or "",
        push_auth=push_auth or "",
        secrets=tuple(opened for one in (secret, previous) if one and (opened := unseal(one))),
        card=cards.get(key[0]),
    )


def _bundle(ids: Sequence[int], cards: Mapping[int, Card]) -> Bundle:
    newest = ids[: -MOST_CARDS - 1 : -1]
    now = datetime.fromtimestamp(clock.time(), UTC)
    standing = [card for card in (cards.get(one) for one in newest) if card and not card.is_over(now)]
    return Bundle(
        ids=tuple(ids),
        cards=tuple(standing),
        more=len(ids) - len(newest),
        left_out=frozenset(newest) - {card.id for card in standing},
    )


def settle(settled: Sequence[Settled]) -> None:
    """Write down what became of these, in one transaction; what is held by somebody else by now is left alone.

    What has ended without being sent becomes a dead letter; where nothing will ever be taken, the endpoint is
    switched off. Circuits count what their hosts did.
    """
    final = list(starmap(_final, settled))
    with transaction.atomic():
        mine, have_failed = _written(final)
        _end_bundles([(parcel, outcome) for parcel, outcome in mine if parcel.bundle and outcome.verdict in ENDS])
        buried = [(parcel, outcome) for parcel, outcome in mine if outcome.verdict in {Verdict.REFUSED, Verdict.GONE}]
        bury(buried)
        switch_off([(parcel, outcome) for parcel, outcome in buried if outcome.verdict == Verdict.GONE])
        if have_failed or any(outcome.blames_host for _, outcome in settled):
            _count(settled)


def _final(parcel: Parcel, outcome: Outcome) -> Settled:
    """The last attempt's failure is the end."""
    if outcome.verdict == Verdict.RETRY and parcel.attempts >= settings.OUTBOUND_MAX_ATTEMPTS:
        return parcel, Outcome(verdict=Verdict.REFUSED, error=outcome.error)
    return parcel, outcome


def _written(final: Sequence[Settled]) -> tuple[list[Settled], bool]:
    """Those that were still ours, and whether any host has failed of late, as far as they tell."""
    rows = [
        {
            "place": place,
            **parcel.key._asdict(),
            "token": str(parcel.token),
            "state": _STATES[outcome.verdict],
            "delay": _delay(parcel, outcome),
            "uncounted": int(outcome.verdict == Verdict.UNTRIED),
            "error": _storable(outcome.error),
        }
        for place, (parcel, outcome) in enumerate(final)
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql.load("settle_deliveries"), {"settled": json.dumps(rows)})
        told = cursor.fetchall()
    return [final[place] for place, _ in told], any(have_failed for _, have_failed in told)


def _end_bundles(ended: Sequence[Settled]) -> None:
    """Let what travelled in digests end with them; what was left out of a mail that was sent is cancelled."""
    rows = [
        (one, parcel.key, _member_verdict(parcel, outcome, one), outcome.error)
        for parcel, outcome in ended
        if parcel.bundle
        for one in parcel.bundle.ids
    ]
    if not rows:
        return
    bound: dict[str, Any] = {
        **_columns([key._replace(notification_id=one) for one, key, *_ in rows]),
        "states": [_STATES[verdict] for *_, verdict, _ in rows],
        "errors": [_storable(error) for *_, error in rows],
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.load("settle_bundles"), bound)


def _member_verdict(parcel: Parcel, outcome: Outcome, notification_id: int) -> Verdict:
    left_out = parcel.bundle.left_out if parcel.bundle and outcome.verdict == Verdict.SENT else frozenset()
    return Verdict.CANCELLED if notification_id in left_out else outcome.verdict


def _delay(parcel: Parcel, outcome: Outcome) -> float:
    """Seconds until the next attempt: full jitter, on top of what the other side asked for."""
    if outcome.verdict == Verdict.UNTRIED:
        return UNTRIED_SECONDS
    if outcome.verdict != Verdict.RETRY:
        return 0.0
    base, cap = settings.OUTBOUND_BACKOFF_SECONDS, settings.OUTBOUND_BACKOFF_CAP_SECONDS
    return outcome.retry_after + delay_after(parcel.attempts, base=base, cap=cap)


def _count(settled: Iterable[Settled]) -> None:
    """Close the circuits of hosts that took something, count the failures of those that took nothing."""
    alive: set[str] = set()
    failures: dict[str, list[Outcome]] = defaultdict(list)
    for parcel, outcome in settled:
        if outcome.blames_host:
            failures[parcel.host].append(outcome)
        elif outcome.verdict in ANSWERED:
            alive.add(parcel.host)
    # All in one order, so that two senders never wait for each other in a ring.
    locked = Circuit.objects.select_for_update().filter(host__in={*alive, *failures}).order_by("host")
    known = set(locked.values_list("host", flat=True))
    if known & alive:
        Circuit.objects.filter(host__in=known & alive).delete()
    down = {host: outcomes for host, outcomes in failures.items() if host not in alive}
    if not down:
        return
    bound: dict[str, Any] = {
        "limit": FAILURES_TO_OPEN,
        "hosts": list(down),
        "failures": [len(outcomes) for outcomes in down.values()],
        "delays": [min(60.0, max(outcome.retry_after for outcome in outcomes)) for outcomes in down.values()],
        "errors": [_storable(outcomes[-1].error) for outcomes in down.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.load("settle_circuits"), bound)


def _storable(text: str) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()[:300]
