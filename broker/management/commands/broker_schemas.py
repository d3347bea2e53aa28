"""`manage.py broker_schemas`: what messages carry, and whether a change would break readers of stored ones."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from broker import snapshots
from broker.field_words import fields_in_words
from broker.management.tables import table

HEADINGS = ("type", "version", "field", "is", "needed")


class Command(BaseCommand):
    """Prints the schemas; with `--check` compares them with the snapshot, with `--write` makes that anew."""

    help = "Show the schemas of all messages. The snapshot (BROKER_SCHEMA_SNAPSHOT) is what was last agreed upon."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one of `--json`, `--check` and `--write`."""
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--json", action="store_true", help="for programs")
        way.add_argument("--check", action="store_true", help="fail on a change that breaks readers of stored messages")
        way.add_argument("--write", action="store_true", help="write the snapshot, unless something would break")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the options say."""
        path, now = Path(settings.BROKER_SCHEMA_SNAPSHOT), snapshots.snapshot()
        if options["check"]:
            self._check(path, now)
        elif options["write"]:
            self._refuse_breaks(path, now)
            path.write_text(_text(now))
            self.stdout.write(f"Wrote {path.name}: {len(now)} types.")
        else:
            self.stdout.write(_text(now).rstrip() if options["json"] else table(HEADINGS, _rows()))

    def _check(self, path: Path, now: snapshots.Snapshot) -> None:
        self._refuse_breaks(path, now)
        if _read(path) != now:
            raise CommandError(
                f"The schemas have changed, and nothing breaks. Agree upon them: manage.py broker_schemas --write"
                f" (it writes {path.name})"
            )
        self.stdout.write(f"{len(now)} types are as agreed upon.")

    def _refuse_breaks(self, path: Path, now: snapshots.Snapshot) -> None:
        if found := snapshots.breaks(_read(path), now):
            advice = "Make a new version and an upcaster instead. Stored messages could not be read:\n"
            raise CommandError(advice + "\n".join(f"- {each}" for each in found))


def _read(path: Path) -> snapshots.Snapshot:
    taken: snapshots.Snapshot = json.loads(path.read_text()) if path.exists() else {}
    return taken


def _text(taken: snapshots.Snapshot) -> str:
    return json.dumps(taken, indent=1, sort_keys=True) + "\n"


def _rows() -> list[tuple[str, ...]]:
    """A line a field; type and version are said once, and a version that is upcast before handlers see it says so."""
    rows: list[tuple[str, ...]] = []
    for type_, entry in snapshots.snapshot().items():
        rows += [
            (type_, f"{version}, upcast") for version in entry["upcasters"] if str(version) not in entry["versions"]
        ]
        for version, schema in entry["versions"].items():
            said = (type_, f"{version}, upcast" if int(version) in entry["upcasters"] else version)
            for field in fields_in_words(schema, schema.get("$defs", {})):
                rows.append((*said, field.name, field.kind, "yes" if field.is_needed else ""))
                said = ("", "")
    return [(*row, *[""] * (len(HEADINGS) - len(row))) for row in rows]
