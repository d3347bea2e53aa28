"""`manage.py broker_topology`: the map, and what is wrong with it."""

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from broker import validation
from broker.current import current_topology
from broker.errors import InvalidTopology
from broker.management.tables import table
from broker.streams import engine
from broker.topology import Binding, Group, Stream, Topology


class Command(BaseCommand):
    """Prints exchanges, bindings, streams, queues and groups; fails when there are mistakes."""

    help = "Show exchanges, bindings, streams, work queues and groups, and every mistake in them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take `--json`."""
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the map, then check it."""
        topology = current_topology()
        if options["json"]:
            self.stdout.write(json.dumps(asdict(topology), default=_as_json))
        else:
            self.stdout.write("\n\n".join(_tables(topology)) + "\n\n")
        try:
            validation.check(topology)
        except InvalidTopology as error:
            raise CommandError(str(error)) from error


def _as_json(value: object) -> object:
    """Durations are seconds; what else JSON does not know is told by its name."""
    return value.total_seconds() if isinstance(value, timedelta) else str(value)


def _duration(age: timedelta) -> str:
    """Whole days as such, anything else to the second."""
    days = age / timedelta(days=1)
    return f"{days:g} days" if days.is_integer() else str(age)


def _kept(stream: Stream) -> str:
    """What the stream keeps, in words."""
    if not engine().features.trims:
        return f"as the server says: {engine().features.retention}"
    limits = [_duration(stream.max_age)] if stream.max_age else []
    limits += [f"{stream.max_bytes:,} bytes"] if stream.max_bytes else []
    unread = ", read or not" if stream.trim_unread else " and what is unread"
    return " or ".join(limits) + unread if limits else "everything"


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
            ("stream", "partitions", "format", "keeps", "expired"),
            [(each.name, each.partitions, each.format, _kept(each), each.expired) for each in topology.streams],
        ),
        table(
            ("queue", "lane", "attempts", "lease", "handler"),
            [
                (each.name, each.lane, each.max_attempts, f"{each.lease_seconds:g} s", each.handler)
                for each in topology.queues
            ],
        ),
        table(
            ("group", "stream", "semantics", "attempts", "batch", "time limit", "message type", "handler"),
            [
                (*_promises(group), type_, handler)
                for group in topology.groups
                for type_, handler in group.handlers.items()
            ],
        ),
    ]


def _promises(group: Group) -> tuple[object, ...]:
    limits = (group.max_attempts, group.batch, f"{group.time_limit:g} s")
    return (group.name, group.stream, group.semantics, *limits)


def _steps(binding: Binding) -> str:
    return ", ".join(type(step).__name__.lower() for step in binding.transform)
