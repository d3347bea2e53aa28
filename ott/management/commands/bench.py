"""`manage.py bench SCENARIO`: measure, print a table, write JSON, and say what misses its goal."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bench import broker, engines, fanout, growth, inbox, latency, live, outbound, projection, reconnect, routing, start
from bench.report import Row, as_json, as_table
from ott.embedded.processes import COMMANDS, UP
from ott.engine_servers import engine_servers

SCENARIOS: Mapping[str, Callable[..., list[Row]]] = {
    "broker": broker.run,
    "growth": growth.run,
    "engines": partial(engines.run, servers=engine_servers),
    "fanout": partial(fanout.run, commands=COMMANDS),
    "inbox": inbox.run,
    "latency": partial(latency.run, commands=COMMANDS),
    "live": partial(live.run, web_command=COMMANDS["web"]),
    "outbound": outbound.run,
    "projection": projection.run,
    "reconnect": partial(reconnect.run, commands=COMMANDS),
    "routing": routing.run,
    "start": partial(start.run, command=UP),
}
RESULTS = Path("bench/results")


class Command(BaseCommand):
    """Runs benchmarks on servers of their own, in a temporary folder; those that need it start the platform."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("scenario", choices=[*SCENARIOS, "all"])
        parser.add_argument("--json", type=Path, metavar="FILE", help="where the rows go as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = list(SCENARIOS) if options["scenario"] == "all" else [options["scenario"]]
        rows: list[Row] = []
        for name in chosen:
            measured = SCENARIOS[name]()
            self._keep(name, measured)
            rows += measured
        self.stdout.write(as_table(rows))
        if options["json"]:
            options["json"].write_text(as_json(rows))
        missed = [f"{row.scenario}: {row.metric}" for row in rows if row.met is False]
        if missed:
            raise CommandError("Missed its goal: " + "; ".join(missed))

    def _keep(self, name: str, rows: list[Row]) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{name}.json").write_text(as_json(rows))
        (RESULTS / f"{name}.md").write_text(as_table(rows, "markdown"))
