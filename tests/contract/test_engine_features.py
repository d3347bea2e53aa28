"""The table of what stream engines differ in is what their code says."""

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


def table() -> str:
    lines = ["| engine | trims | what else it forgets | its own tools | limits |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {'yes' if each.trims else 'no'} | {each.retention} | {each.tools} | {each.limits} |"
        for name, each in ENGINES.items()
    ]
    return "\n".join(lines)


def test_the_table_of_features_is_what_the_code_says() -> None:
    text = (PROJECT / "docs/choosing-an-engine.md").read_text()
    shown = text.partition("<!-- features -->")[2].partition("<!-- /features -->")[0].strip()

    assert shown == table()
