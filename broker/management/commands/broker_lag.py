"""`manage.py broker_lag`: how far everything is behind."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from broker import queries
from broker.management.operators import told
from broker.management.tables import table

_HEADINGS = ["group", "stream", "partition", "offset", "end", "lag", "for", "state", "attempts", "expired"]
_HEADINGS += ["owner", "last error"]


class Command(BaseCommand):
    """Prints outbox, consumer groups, work queues and dead letters."""

    help = "Show what waits in the outbox, in each group's partitions, in each work queue and among the dead letters."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take `--json`."""
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print one table a kind, or all as JSON."""
        with told():
            self._tell(as_json=options["json"])

    def _tell(self, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(_as_json(), default=str))
            return
        self.stdout.write(f"Outbox: {queries.outbox_depth()} waiting\n\n")
        groups = [
            (
                *(lag.group, lag.stream, lag.partition, lag.offset, lag.end, lag.lag, f"{lag.seconds:.1f} s"),
                *(lag.state, lag.attempts, lag.expired_count, lag.owner, lag.last_error[:60]),
            )
            for lag in queries.lag()
        ]
        self.stdout.write(table(_HEADINGS, groups) + "\n\n")
        items = [
            (queue, state, count) for queue, by in queries.work_queue_depths().items() for state, count in by.items()
        ]
        self.stdout.write(table(("queue", "state", "items"), items) + "\n\n")
        letters = [(origin, reason, count) for (origin, reason), count in queries.dead_letter_counts().items()]
        self.stdout.write(table(("dead letters from", "reason", "waiting"), letters))


def _as_json() -> dict[str, Any]:
    return {
        "outbox": queries.outbox_depth(),
        "groups": [{**asdict(lag), "lag": lag.lag, "state": lag.state} for lag in queries.lag()],
        "queues": queries.work_queue_depths(),
        "dead_letters": [
            {"origin": origin, "reason": reason, "waiting": count}
            for (origin, reason), count in queries.dead_letter_counts().items()
        ],
    }
