"""The tables about stream engines say what their code says, and what the benchmark measured last."""

import json
from typing import Any

from broker.streams.base import Features
from broker.streams.kafka import KafkaStreams
from broker.streams.postgres import PostgresStreams
from broker.streams.rabbitmq import RabbitStreams
from broker.streams.redis import RedisStreams
from ott.embedded.processes import PROJECT

ENGINES: dict[str, Features] = {
    "PostgreSQL": PostgresStreams.features,
    "Redis Streams": RedisStreams.features,
    "Kafka": KafkaStreams.features,
    "RabbitMQ": RabbitStreams.features,
}


# The columns of figures, by the benchmark's name for each.
MEASURED = {
    "append": "append, messages/s",
    "append to 4 partitions at once": "… to 4 partitions at once",
    "read": "read, messages/s",
    "append + read": "both, beside a bare client",
    "one message, appended and read, p50": "one message there and back, p50",
    "one message, appended and read, p99": "p99",
    "server started in": "server's start",
    "server's resident memory": "its memory",
}


def table() -> str:
    lines = ["| engine | trims | what else it forgets | its own tools | limits |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {'yes' if each.trims else 'no'} | {each.retention} | {each.tools} | {each.limits} |"
        for name, each in ENGINES.items()
    ]
    return "\n".join(lines)


def table_of_figures() -> str:
    rows = json.loads((PROJECT / "bench/results/engines.json").read_text())["rows"]
    found = {row["metric"]: row for row in rows}
    names = dict(zip(ENGINES, ("postgres", "redis", "kafka", "rabbitmq"), strict=True))
    lines = ["| engine | " + " | ".join(MEASURED.values()) + " |", "|---" * (len(MEASURED) + 1) + "|"]
    lines += [
        f"| {shown} | " + " | ".join(_figure(found[f"{name}: {metric}"]) for metric in MEASURED) + " |"
        for shown, name in names.items()
    ]
    return "\n".join(lines)


def _figure(row: dict[str, Any]) -> str:
    if row["goal"]:
        return f"{row['ratio']:.2f} x"
    if row["unit"] == "messages/s":
        return "not compared" if row["metric"].endswith("append + read") else f"{row['value']:,}"
    return f"{row['value']:g} {row['unit']}"


def shown_between(name: str) -> str:
    text = (PROJECT / "docs/choosing-an-engine.md").read_text()
    return text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0].strip()


def test_the_table_of_features_is_what_the_code_says() -> None:
    assert shown_between("features") == table()


def test_the_figures_are_those_that_were_measured_last() -> None:
    assert shown_between("figures") == table_of_figures()
