"""`manage.py broker_topology`: the map, and what is wrong with it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from broker import validation
from broker.current import current_topology
from broker.errors import InvalidTopology
from broker.management.tables import table
from broker.topology import Binding, Topology


class Command(BaseCommand):
    """Prints exchanges, bindings, streams, queues and groups; fails when there are mistakes."""

    help = "Show exchanges, bindings, streams, work queues and groups, and every mistake in them."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Print the map, then check it."""
        topology = current_topology()
        for text in _tables(topology):
            self.stdout.write(text + "\n\n")
        try:
            validation.check(topology)
        except InvalidTopology as error:
            raise CommandError(str(error)) from error


def _tables(topology: Topology) -> list[str]:
    return [
        table(
            ("exchange", "type", "alternate"),
            [(exchange.name, exchange.type, exchange.alternate or "") for exchange in topology.exchanges],
        ),
        table(
            ("from", "to", "by", "transformed"),
            [
                (each.exchange, each.to, each.routing_key or dict(each.headers) or "", _steps(each))
                for each in topology.bindings
            ],
        ),
        table(
            ("stream", "partitions", "format"),
            [(stream.name, stream.partitions, stream.format) for stream in topology.streams],
        ),
        table(
            ("queue", "lane", "attempts", "lease", "handler"),
            [
                (each.name, each.lane, each.max_attempts, f"{each.lease_seconds:g} s", each.handler)
                for each in topology.queues
            ],
        ),
        table(
            ("group", "stream", "semantics", "attempts", "message type", "handler"),
            [
                (group.name, group.stream, group.semantics, group.max_attempts, type_, handler)
                for group in topology.groups
                for type_, handler in group.handlers.items()
            ],
        ),
    ]


def _steps(binding: Binding) -> str:
    return ", ".join(type(step).__name__.lower() for step in binding.transform)
