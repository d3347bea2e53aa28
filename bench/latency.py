"""From the commit of a publish to the frame at a client, over a real socket, and where the time goes.

One release at a time on an otherwise idle system: this measures the road, not the traffic on it.
"""

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from uuid import UUID, uuid4

from asgiref.sync import sync_to_async
from django.db import connection
from websockets.asyncio.client import ClientConnection, connect

from accounts.commands import create_api_token, create_viewer
from accounts.models import User
from catalog.commands import publish_release
from notifications.commands import subscribe

from .broker_database import current_url
from .live_contenders import HOST
from .own_platform import own_platform
from .releases import drafts, make_creator
from .report import Row, percentile, row_within

PUBLISHES = 500
WARM_UP = 20
LOST_AFTER_SECONDS = 10.0
GOALS = {50: 60.0, 99: 250.0}  # percentile: milliseconds
STEPS = ("commit → appended", "appended → posted", "posted → work item", "work item → claimed", "claimed → received")


def run(*, commands: Mapping[str, Sequence[str]]) -> list[Row]:
    """Measure `PUBLISHES` publishes; `commands` starts each process of the platform, on `{port}`."""
    creator, (viewer, token) = make_creator(), _viewer()
    release_ids = drafts(creator=creator, count=WARM_UP + PUBLISHES)
    subscribe(viewer_id=viewer.pk, topic="category:movies")
    with own_platform(commands, url=current_url()) as port:
        times = asyncio.run(_measure(port, token, creator, release_ids))[WARM_UP:]
    total = [(received - committed) * 1000 for _, committed, received in times]
    return [
        *(_total_row(total, percent=percent, at_most=at_most) for percent, at_most in GOALS.items()),
        Row(scenario="latency", metric="commit → frame, mean", value=round(fmean(total), 2), unit="ms"),
        Row(scenario="latency", metric="publishes", value=len(total), unit=""),
        *_step_rows(times),
    ]


def _total_row(total: Sequence[float], *, percent: float, at_most: float) -> Row:
    metric = f"commit → frame, p{percent:g}"
    return row_within(scenario="latency", metric=metric, value=percentile(total, percent), unit="ms", at_most=at_most)


def _viewer() -> tuple[User, str]:
    """A viewer and their token."""
    viewer = create_viewer(email=f"viewer-{uuid4().hex[:8]}@bench.example", password=uuid4().hex)
    _, token = create_api_token(user=viewer, name="bench")
    return viewer, token


async def _measure(
    port: int, token: str, creator: User, release_ids: Sequence[UUID]
) -> list[tuple[UUID, float, float]]:
    """(release, committed at, received at) of each publish, in seconds of the wall clock."""
    url = f"ws://{HOST}:{port}/ws/live/"
    pause = random.Random(1)
    times = []
    async with connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        await socket.send(json.dumps({"type": "resume"}))
        await _next(socket, "welcome")
        for release_id in release_ids:
            await sync_to_async(publish_release)(actor=creator, release_id=release_id)
            committed = time.time()
            await _next(socket, "notification")
            times.append((release_id, committed, time.time()))
            await asyncio.sleep(pause.uniform(0.01, 0.05))  # so that no poll falls into step with us
    return times


async def _next(socket: ClientConnection, kind: str) -> None:
    async with asyncio.timeout(LOST_AFTER_SECONDS):
        while True:
            frame = json.loads(await socket.recv())
            if frame["type"] == "ping":
                await socket.send(json.dumps({"type": "pong"}))
            if frame["type"] == kind:
                return


def _step_rows(times: Sequence[tuple[UUID, float, float]]) -> list[Row]:
    stamps = _stamps([release_id for release_id, _, _ in times])
    steps: list[list[float]] = [[] for _ in STEPS]
    for release_id, committed, received in times:
        road = [committed, *stamps[release_id], received]
        for step, (before, after) in zip(steps, pairwise(road), strict=True):
            step.append(max(0.0, after - before) * 1000)
    return [
        Row(scenario="latency", metric=f"{name}, p{percent}", value=round(percentile(step, percent), 2), unit="ms")
        for name, step in zip(STEPS, steps, strict=True)
        for percent in (50, 99)
    ]


def _stamps(release_ids: Sequence[UUID]) -> dict[UUID, list[float]]:
    """When each release was appended, posted, made a work item and claimed, as the tables tell it."""
    sql = (Path(__file__).parent / "latency.sql").read_text()
    with connection.cursor() as cursor:
        cursor.execute(sql, {"subjects": [f"release:{release_id}" for release_id in release_ids]})
        return {UUID(str(row[0])): [float(stamp) for stamp in row[1:]] for row in cursor.fetchall()}
