"""From `group_send` to bytes at the client: our gateway, stock Channels, a bare loop, and Nchan, interleaved.

Each server has one core and a crowd of clients on the other. Everybody follows fifty topics; kinds and ratings are
mixed, and ours and the stock consumer filter by them. All five runs alternate between the servers, so that what else
the machine does hits all alike; ratios are of medians.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.utils.module_loading import import_string

from notifications.live.frames import Frame
from notifications.live.posted import Posted
from notifications.live.push import GROUP

from . import nchan
from .crowd import raise_file_limit
from .live_audience import SAMPLES, TO_ALL, Sample
from .live_baselines import BARE_GROUP, group_of, layer_settings
from .live_contenders import FRAME_BYTES, WIRE_BYTES, Arena, Arenas, Contender, free_port
from .people import make_listeners
from .plot import bars
from .report import Row, percentile, row_ratio, row_within

CONNECTIONS = (2000, 8000)
RUNS = 5
BROADCASTS = 100
POSTINGS = {"ours": 40, "stock-core": 3, "stock-pubsub": 3, "bare": 40, "nchan": 40}  # as fast as they can be published
SINGLES = {"ours": 8, "stock-core": 1, "stock-pubsub": 1, "bare": 4, "nchan": 8}  # each when all have the one before
GOALS = {"stock": 20.0, "bare": 1.1, "nchan": 0.4}
LATENCY_GOAL_MS = 250.0
MEMORY_GOAL_KIB = 12.0
PLOT = Path("bench/results/live.svg")
UVICORN = (
    *(sys.executable, "-m", "uvicorn", "--host=127.0.0.1", "--port={port}", "--loop=uvloop", "--lifespan=off"),
    *("--ws=websockets-sansio", "--ws-per-message-deflate=false", "--ws-ping-interval=0", "--no-access-log"),
    *("--log-level=warning",),
)


def run(*, web_command: Sequence[str]) -> list[Row]:
    """Measure; `web_command` starts a web process of ours on `{port}`."""
    raise_file_limit()
    tokens = make_listeners(max(CONNECTIONS))
    rows: list[Row] = []
    chart: dict[str, dict[str, float]] = {}
    for connections in CONNECTIONS:
        rates, singles, more = asyncio.run(_measure(web_command, tokens[:connections]))
        chart[f"{connections} connections"] = rates
        chart[f"{connections} connections, one posting at a time"] = singles
        rows += [*_rate_rows(connections, rates, singles), *_single_rows(connections, singles), *more]
    PLOT.write_text(bars("Frames delivered a second, one core", chart))
    return rows


Rates = dict[str, float]  # frames a second, by contender


async def _measure(web_command: Sequence[str], tokens: Sequence[str]) -> tuple[Rates, Rates, list[Row]]:
    with tempfile.TemporaryDirectory(prefix="marquee-bench-live-") as folder:
        async with Arenas(_contenders(web_command, tokens, Path(folder))) as arenas:
            memory = _memory_rows(len(tokens), {arena.contender.name: arena for arena in arenas.all})
            for _ in range(RUNS):
                for arena in arenas.all:
                    frames, seconds = await arena.round(_samples(arena.contender.postings))
                    arena.rates.append(frames / seconds)
                    arena.singles.append(await _one_at_a_time(arena))
            ours = arenas.all[0]
            await _check(ours)
            times = [(await ours.round([TO_ALL]))[1] * 1000 for _ in range(BROADCASTS)]
            return (
                {arena.contender.name: median(arena.rates) for arena in arenas.all},
                {arena.contender.name: median(arena.singles) for arena in arenas.all},
                [
                    *memory,
                    row_within(
                        scenario="live",
                        metric=f"group_send → last of {len(tokens)}, p99",
                        value=percentile(times, 99),
                        unit="ms",
                        at_most=LATENCY_GOAL_MS,
                    ),
                ],
            )


async def _one_at_a_time(arena: Arena) -> float:
    """Frames a second when nothing is published before all have what was published last."""
    rounds = [await arena.round([sample]) for sample in _samples(SINGLES[arena.contender.name])]
    return sum(frames for frames, _ in rounds) / sum(seconds for _, seconds in rounds)


def _samples(count: int) -> list[Sample]:
    return [SAMPLES[number % len(SAMPLES)] for number in range(count)]


async def _check(ours: Arena) -> None:
    """Every client must have been sent exactly what it wants: a fast hub that sends the wrong frames is of no use."""
    counts = await ours.counts()
    samples = _samples(ours.contender.postings) + _samples(SINGLES[ours.contender.name])
    total = sum(sample.receivers(len(counts)) for sample in samples) * RUNS * WIRE_BYTES
    if sum(counts) != total or any(count % WIRE_BYTES for count in counts):
        raise RuntimeError(f"The clients were sent {sum(counts)} bytes instead of {total}.")


def _contenders(web_command: Sequence[str], tokens: Sequence[str], folder: Path) -> list[Contender]:
    count = len(tokens)
    contenders = [_ours(web_command, tokens), *(_stock(layer, count) for layer in ("core", "pubsub")), _bare(count)]
    if nchan.is_installed():
        server = nchan.Nchan(folder=folder, port=free_port(), frame=_frame())
        contenders.append(server.contender(connections=count, postings=POSTINGS["nchan"]))
    return contenders


def _frame() -> str:
    """A frame's text of exactly `FRAME_BYTES`."""
    empty = json.dumps({"type": "notification", "title": ""})
    return json.dumps({"type": "notification", "title": "x" * (FRAME_BYTES - len(empty))})


def _ours(web_command: Sequence[str], tokens: Sequence[str]) -> Contender:
    heads: dict[str, int] = defaultdict(int)
    frame = Frame(_frame())
    layer = get_channel_layer()

    async def publish(sample: Sample) -> None:
        for topic in sample.topics:
            heads[topic] += 1
        positions = {topic: heads[topic] for topic in sample.topics}
        posted = Posted(
            notification=sum(heads.values()),
            revision=1,
            shown=1,
            positions=positions,
            kind=sample.kind,
            maturity=sample.maturity,
            posted_at=time.time(),
            expires_at=None,
            frame=frame,
        )
        await layer.group_send(GROUP, posted.to_message())

    return Contender(
        name="ours",
        command=web_command,
        environment={"OTT_PROCESS": "web", "OTT_LIVE_HEARTBEAT_SECONDS": "3600"},
        publish=publish,
        path="/ws/live/",
        headers=[[f"Authorization: Bearer {token}"] for token in tokens],
        hello='{"type":"resume"}',
        marker='"type":"ping"',
        postings=POSTINGS["ours"],
    )


def _stock(layer_name: str, count: int) -> Contender:
    layer, environment = _layer(layer_name, f"stock-{layer_name}-{count}")
    frame = _frame()

    async def publish(sample: Sample) -> None:
        event = {"type": "bench.posted", "frame": frame, "kind": sample.kind, "maturity": sample.maturity}
        await layer.group_send(group_of(sample.topics[0]), event)

    return Contender(
        name=f"stock-{layer_name}",
        command=[*UVICORN, "bench.live_baselines:stock"],
        environment=environment,
        publish=publish,
        path="/?{number}",
        headers=[[]] * count,
        postings=POSTINGS[f"stock-{layer_name}"],
    )


def _bare(count: int) -> Contender:
    layer, environment = _layer("pubsub", f"bare-{count}")
    frame = _frame()

    async def publish(_: Sample) -> None:
        await layer.group_send(BARE_GROUP, {"type": "bare", "frame": frame})

    return Contender(
        name="bare",
        command=[*UVICORN, "bench.live_baselines:bare"],
        environment=environment,
        publish=publish,
        path="/",
        headers=[[]] * count,
        postings=POSTINGS["bare"],
        filters=False,
    )


def _layer(layer: str, prefix: str) -> tuple[Any, Mapping[str, str]]:
    """The bench's end of a layer, and what its server has to know."""
    wanted = layer_settings(layer=layer, prefix=prefix, redis_url=settings.REDIS_URL)
    made = import_string(wanted["BACKEND"])(**wanted["CONFIG"])
    return made, {"BENCH_LAYER": layer, "BENCH_PREFIX": prefix, "REDIS_URL": settings.REDIS_URL}


def _rate_rows(connections: int, rates: Mapping[str, float], singles: Mapping[str, float]) -> list[Row]:
    best = {name: max(rate, singles[name]) for name, rate in rates.items()}  # some do better with one at a time
    best_stock = max(best["stock-core"], best["stock-pubsub"])
    baselines = {"stock": best_stock, "bare": best["bare"], "nchan": best.get("nchan")}
    return [
        row_ratio(
            scenario="live",
            metric=f"delivered at {connections}, against {name}",
            value=rates["ours"],
            unit="frames/s",
            baseline=baselines[name],
            at_least=goal,
        )
        for name, goal in GOALS.items()
    ] + [
        Row(scenario="live", metric=f"delivered at {connections}, {name}", value=round(rate), unit="frames/s")
        for name, rate in rates.items()
    ]


def _single_rows(connections: int, rates: Mapping[str, float]) -> list[Row]:
    ours = rates["ours"]
    baselines = {name: rate for name, rate in rates.items() if name != "ours"}
    return [
        Row(
            scenario="live",
            metric=f"delivered at {connections}, one posting at a time, beside {name}",
            value=round(ours),
            unit="frames/s",
            baseline=round(rate),
            ratio=round(ours / rate, 2),
        )
        for name, rate in baselines.items()
    ]


def _memory_rows(connections: int, arenas: Mapping[str, Arena]) -> list[Row]:
    ours, bare = (arenas[name].kib_per_connection() for name in ("ours", "bare"))
    metric = f"memory a connection above the bare server, at {connections}"
    return [row_within(scenario="live", metric=metric, value=ours - bare, unit="KiB", at_most=MEMORY_GOAL_KIB)]
