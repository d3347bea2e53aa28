"""`manage.py broker_dead_letters`: look at what failed, and decide."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from broker import replay
from broker.management.tables import table
from broker.models import DeadLetter

_SHOWN = ["id", "state", "reason", "origin", "error", "attempts", "created_at", "decided_at"]
_SHOWN += ["message_id", "position", "exchange", "routing_key", "key"]


class Command(BaseCommand):
    """`list`, `show ID`, `replay ID…`, `discard ID…`."""

    help = "List dead letters, show one, send some back to where they failed, or discard them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the verb and what it needs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="the newest")
        listing.add_argument("--state", choices=DeadLetter.State.values, default=DeadLetter.State.WAITING)
        listing.add_argument("--origin", default="", help="such as group:feed or queue:encode")
        listing.add_argument("--limit", type=int, default=50)
        verbs.add_parser("show", help="all that is known of one").add_argument("id", type=int)
        for verb in ("replay", "discard"):
            verbs.add_parser(verb).add_argument("ids", type=int, nargs="+", metavar="id")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the verb says."""
        if options["verb"] == "list":
            self._list(**{name: options[name] for name in ("state", "origin", "limit")})
        elif options["verb"] == "show":
            self._show(options["id"])
        else:
            self._decide(options["verb"], options["ids"])

    def _list(self, *, state: str, origin: str, limit: int) -> None:
        letters = DeadLetter.objects.filter(state=state).order_by("-created_at")
        if origin:
            letters = letters.filter(origin=origin)
        rows = [
            (
                letter.pk,
                f"{letter.created_at:%Y-%m-%d %H:%M:%S}",
                letter.origin,
                letter.reason,
                letter.key,
                letter.error,
            )
            for letter in letters[:limit]
        ]
        self.stdout.write(table(("id", "since", "origin", "reason", "key", "error"), rows))

    def _show(self, dead_letter_id: int) -> None:
        letter = DeadLetter.objects.filter(pk=dead_letter_id).first()
        if letter is None:
            raise CommandError(f"There is no dead letter {dead_letter_id}")
        for field in _SHOWN:
            self.stdout.write(f"{field}: {getattr(letter, field)}")
        self.stdout.write(f"body: {json.dumps(letter.body, indent=2, ensure_ascii=False)}\n{letter.trace}")

    def _decide(self, verb: str, ids: list[int]) -> None:
        decide = replay.replay if verb == "replay" else replay.discard
        failures = 0
        for dead_letter_id in ids:
            try:
                decide(dead_letter_id=dead_letter_id)
                self.stdout.write(f"{dead_letter_id}: {verb}ed")
            except Exception as error:
                failures += 1
                self.stderr.write(f"{dead_letter_id}: {type(error).__name__}: {error}")
        if failures:
            raise CommandError(f"{failures} of {len(ids)} could not be {verb}ed")
