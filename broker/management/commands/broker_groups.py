"""`manage.py broker_groups`: let consumer groups rest, and see who decided what."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from broker import group_commands, queries
from broker.management.operators import add_actor, told, when
from broker.management.tables import table


class Command(BaseCommand):
    """`pause GROUP`, `resume GROUP`, `log`."""

    help = "Pause a consumer group, resume it, or list what operators decided about groups and dead letters."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the verb and what it needs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb in ("pause", "resume"):
            deciding = verbs.add_parser(verb)
            deciding.add_argument("group")
            deciding.add_argument("--dry-run", action="store_true", help="say what would be done")
            add_actor(deciding)
        log = verbs.add_parser("log", help="the newest decisions")
        log.add_argument("--limit", type=int, default=20)
        log.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the verb says."""
        if options["verb"] == "log":
            self._log(limit=options["limit"], as_json=options["json"])
            return
        decide = group_commands.pause if options["verb"] == "pause" else group_commands.resume
        with told():
            has_changed = decide(**{name: options[name] for name in ("group", "actor", "dry_run")})
        would = "would be " if options["dry_run"] and has_changed else ""
        self.stdout.write(f"{options['group']}: {would}{options['verb']}d" + ("" if has_changed else " already"))

    def _log(self, *, limit: int, as_json: bool) -> None:
        actions = queries.operator_actions(limit=limit)
        if as_json:
            fields = ("at", "actor", "verb", "target", "before", "after")
            rows = [{field: getattr(action, field) for field in fields} for action in actions]
            self.stdout.write(json.dumps(rows, default=str))
            return
        rows_shown = [
            (when(action.at), action.actor, action.verb, action.target, _shortly(action.before), _shortly(action.after))
            for action in actions
        ]
        self.stdout.write(table(("at", "who", "did", "to", "before", "after"), rows_shown))


def _shortly(values: dict[str, Any]) -> str:
    return json.dumps(values)[:60] if values else ""
