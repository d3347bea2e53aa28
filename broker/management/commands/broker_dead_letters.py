"""`manage.py broker_dead_letters`: look at what failed, and decide."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from broker import dead_letter_commands, queries
from broker.errors import InvalidMessage
from broker.management.operators import add_actor, add_filter, filter_from, told, when
from broker.management.tables import table
from broker.models import DeadLetter
from broker.replay import Outcome, replay, replay_matching

_SHOWN = ["id", "state", "reason", "origin", "error", "attempts", "replays", "created_at", "decided_at", "decided_by"]
_SHOWN += ["message_id", "position", "exchange", "routing_key", "key"]


class Command(BaseCommand):
    """`list`, which may be left out, `show ID`, `edit ID FILE`; `replay` and `discard`, of ids or of all that match."""

    help = "List dead letters, show one, mend one, send some back to where they failed or to a group, discard them."

    def run_from_argv(self, argv: list[str]) -> None:
        """Without a verb, `list` is meant."""
        given = argv[2:]
        if all(word.startswith("-") for word in given[:1]) and not {"-h", "--help", "--version"} & set(given):
            argv = [*argv[:2], "list", *given]
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the verb and what it needs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="the newest")
        listing.add_argument("--state", choices=DeadLetter.State.values, default="", help="default: what is undecided")
        listing.add_argument("--limit", type=int, default=50)
        add_filter(listing)
        showing = verbs.add_parser("show", help="all that is known of one")
        showing.add_argument("id", type=int)
        for reading in (listing, showing):
            reading.add_argument("--json", action="store_true", help="for programs")
        editing = verbs.add_parser("edit", help="put another message in its place")
        editing.add_argument("id", type=int)
        editing.add_argument("file", help="its JSON, like `body` of `show --json`; - for standard input")
        for verb in ("replay", "discard"):
            deciding = verbs.add_parser(verb)
            deciding.add_argument("ids", type=int, nargs="*", metavar="id")
            deciding.add_argument("--all", action="store_true", help="all that match, instead of ids")
            deciding.add_argument("--dry-run", action="store_true", help="say what would be done")
            add_filter(deciding)
            add_actor(deciding)
        add_actor(editing)
        replaying = verbs.choices["replay"]
        replaying.add_argument("--to-group", default="", metavar="GROUP", help="instead of where it failed")
        replaying.add_argument("--force", action="store_true", help="parked ones, too")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the verb says."""
        verb = options["verb"]
        if verb in ("replay", "discard") and bool(options["ids"]) == options["all"]:
            raise CommandError("Name either ids, or --all with what it is to match")
        with told():
            getattr(self, f"_{verb}")(options)

    def _list(self, options: Mapping[str, Any]) -> None:
        where = filter_from(options)
        state = options["state"]
        letters = where.narrow(DeadLetter.objects.filter(state=state)) if state else where.letters()
        found = list(letters.order_by("-created_at")[: options["limit"]])
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(letter) for letter in found], default=str))
            return
        rows = [
            (each.pk, when(each.created_at), each.origin, each.reason, each.state, each.replays, each.key, each.error)
            for each in found
        ]
        self.stdout.write(table(("id", "since", "origin", "reason", "state", "replays", "key", "error"), rows))

    def _show(self, options: Mapping[str, Any]) -> None:
        letter = _found(options["id"])
        history = queries.operator_actions(limit=20, target=f"dead_letter:{letter.pk}")
        if options["json"]:
            more = {"history": [{"at": each.at, "actor": each.actor, "verb": each.verb} for each in history]}
            self.stdout.write(json.dumps(_as_json(letter) | more, default=str))
            return
        for field in _SHOWN:
            self.stdout.write(f"{field}: {getattr(letter, field)}")
        self.stdout.write(f"body: {json.dumps(letter.body, indent=2, ensure_ascii=False)}\n{letter.trace}")
        for action in history:
            self.stdout.write(f"{when(action.at)}  {action.actor}: {action.verb}")

    def _edit(self, options: Mapping[str, Any]) -> None:
        text = sys.stdin.read() if options["file"] == "-" else Path(options["file"]).read_text()
        try:
            body = json.loads(text)
        except ValueError as error:
            raise InvalidMessage("body", f"is not JSON: {error}") from error
        dead_letter_commands.edit(dead_letter_id=options["id"], body=body, actor=options["actor"])
        self.stdout.write(f"{options['id']}: edited")

    def _replay(self, options: Mapping[str, Any]) -> None:
        how = {name: options[name] for name in ("actor", "to_group", "force")}
        if not options["all"]:
            self._each(options, "replayed", lambda pk: replay(dead_letter_id=pk, **how))
        elif not self._is_dry_run(options, also_parked=options["force"]):
            outcome = replay_matching(where=filter_from(options), on_progress=self._progress, **how)
            if outcome.failed:
                raise CommandError(f"{outcome.failed} could not be replayed")

    def _discard(self, options: Mapping[str, Any]) -> None:
        actor = options["actor"]
        if not options["all"]:
            self._each(options, "discarded", lambda pk: dead_letter_commands.discard(dead_letter_id=pk, actor=actor))
        elif not self._is_dry_run(options, also_parked=True):
            count = dead_letter_commands.discard_matching(where=filter_from(options), actor=actor)
            self.stdout.write(f"{count} discarded")

    def _is_dry_run(self, options: Mapping[str, Any], *, also_parked: bool) -> bool:
        if options["dry_run"]:
            count = filter_from(options).letters(also_parked=also_parked).count()
            self.stdout.write(f"{count} would be {options['verb']}ed")
        return bool(options["dry_run"])

    def _progress(self, outcome: Outcome) -> None:
        self.stdout.write(f"{outcome.replayed} replayed, {outcome.failed} failed, {outcome.passed} passed over")

    def _each(self, options: Mapping[str, Any], done: str, decide: Any) -> None:
        failures = 0
        for dead_letter_id in options["ids"]:
            if options["dry_run"]:
                self.stdout.write(f"{dead_letter_id}: would be {done}, is {_found(dead_letter_id).state}")
                continue
            try:
                decide(dead_letter_id)
                self.stdout.write(f"{dead_letter_id}: {done}")
            except Exception as error:
                failures += 1
                self.stderr.write(f"{dead_letter_id}: {type(error).__name__}: {error}")
        if failures:
            raise CommandError(f"{failures} of {len(options['ids'])} could not be {done}")


def _found(dead_letter_id: int) -> DeadLetter:
    letter = DeadLetter.objects.filter(pk=dead_letter_id).first()
    if letter is None:
        raise CommandError(f"There is no dead letter {dead_letter_id}")
    return letter


def _as_json(letter: DeadLetter) -> dict[str, Any]:
    return {field: getattr(letter, field) for field in (*_SHOWN, "body", "trace")}
