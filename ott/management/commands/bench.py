"""`manage.py bench SCENARIO`: measure, print a table, write JSON, and say what misses its goal."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bench.report import Row, as_json, as_table
from ott.embedded.processes import COMMANDS, UP
from ott.engine_servers import engine_servers

# What each needs to be told; a scenario's own module is loaded when it is chosen, as some need tools for development.
SCENARIOS: Mapping[str, Mapping[str, Any]] = {
    "broker": {},
    "growth": {},
    "engines": {"servers": engine_servers},
    "fanout": {"commands": COMMANDS},
    "inbox": {},
    "latency": {"commands": COMMANDS},
    "live": {"web_command": COMMANDS["web"]},
    "outbound": {},
    "projection": {},
    "reconnect": {"commands": COMMANDS},
    "routing": {},
    "start": {"command": UP},
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
            measured: list[Row] = import_module(f"bench.{name}").run(**SCENARIOS[name])
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
