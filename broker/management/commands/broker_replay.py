"""`manage.py broker_replay`: let a group read elsewhere, hand it a range once more, or only see what it would do."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from broker import group_commands, range_replay
from broker.management.operators import add_actor, target, told
from broker.management.tables import table
from broker.offsets import Anchor, Range
from broker.range_replay import RangeOutcome
from broker.shadow_replay import Report, shadow_replay

EACH = 1000  # messages between two lines of progress


class Command(BaseCommand):
    """`reset GROUP --to`, `range GROUP --from --until`, `shadow GROUP --from --until`."""

    help = "Reset a consumer group, hand it a range of its stream once more, or compare in the shadow."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the verb and what it needs."""
        place = "earliest, latest, an offset, or a time with its zone"
        verbs = parser.add_subparsers(dest="verb", required=True)
        resetting = verbs.add_parser("reset", help="let the group go on elsewhere")
        resetting.add_argument("group")
        resetting.add_argument("--to", type=target, required=True, help=place)
        for verb, what in (
            ("range", "hand it these messages beside the order of its stream"),
            ("shadow", "compare what its handlers would make of these messages with what is stored"),
        ):
            ranging = verbs.add_parser(verb, help=what)
            ranging.add_argument("group")
            ranging.add_argument("--from", type=target, default=Anchor.EARLIEST, dest="start", help=place)
            ranging.add_argument("--until", type=target, default=Anchor.LATEST, help=f"{place}; itself left out")
        for each in verbs.choices.values():
            each.add_argument("--partition", type=int, help="this one alone")
            each.add_argument("--json", action="store_true", help="for programs")
        for verb in ("reset", "range"):
            verbs.choices[verb].add_argument("--dry-run", action="store_true", help="say what would be done")
            add_actor(verbs.choices[verb])

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the verb says."""
        with told():
            getattr(self, f"_{options['verb']}")(options)

    def _reset(self, options: Mapping[str, Any]) -> None:
        moves = group_commands.reset(
            group=options["group"],
            target=options["to"],
            partition=options["partition"],
            actor=options["actor"],
            dry_run=options["dry_run"],
        )
        rows = [(move.partition, move.before, move.after, move.again, move.skipped) for move in moves]
        self._show(options, ("partition", "offset", "to", "again", "skipped"), rows)

    def _range(self, options: Mapping[str, Any]) -> None:
        parts = _parts(options)
        if options["dry_run"]:
            rows = [(part.partition, part.start, part.end, part.end - part.start) for part in parts]
            self._show(options, ("partition", "from", "until", "offsets"), rows)
            return
        outcome = range_replay.replay_range(
            group=options["group"], parts=parts, actor=options["actor"], on_progress=self._progress
        )
        self._show(options, tuple(asdict(outcome)), [tuple(asdict(outcome).values())])
        if outcome.failed:
            raise CommandError(f"{outcome.failed} failed and are dead letters")

    def _shadow(self, options: Mapping[str, Any]) -> None:
        report = shadow_replay(group=options["group"], parts=_parts(options))
        if options["json"]:
            self.stdout.write(json.dumps(asdict(report), default=str))
        else:
            self._tell(report)
        if report.differ or report.failed:
            raise CommandError(f"{report.differ + report.failed} do not agree with what is stored")

    def _tell(self, report: Report) -> None:
        counts = {name: count for name, count in asdict(report).items() if name != "differences"}
        self.stdout.write(table(tuple(counts), [tuple(counts.values())]) + "\n\n")
        for each in report.differences:
            self.stdout.write(f"partition {each.partition}, offset {each.offset}: {each.type} of {each.key}")
            self.stdout.write("".join(f"  {line}\n" for line in _compared(each.stored, each.made)))

    def _progress(self, part: Range, offset: int, outcome: RangeOutcome) -> None:
        if (outcome.handled + outcome.passed + outcome.failed) % EACH == 0:
            self.stderr.write(f"partition {part.partition}, offset {offset}")

    def _show(self, options: Mapping[str, Any], headings: tuple[str, ...], rows: Sequence[tuple[int, ...]]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps([dict(zip(headings, row, strict=True)) for row in rows]))
        else:
            self.stdout.write(table(headings, rows))


def _parts(options: Mapping[str, Any]) -> list[Range]:
    return range_replay.plan(
        group=options["group"], start=options["start"], until=options["until"], partition=options["partition"]
    )


def _compared(stored: Mapping[str, Any] | None, made: Mapping[str, Any] | str | None) -> list[str]:
    """What differs, a line each."""
    if not isinstance(made, Mapping) or stored is None:
        return [f"stored: {stored}", f"made: {made}"]
    names = [name for name in {**stored, **made} if stored.get(name) != made.get(name)]
    return [f"{name}: stored {stored.get(name)!r}, made {made.get(name)!r}" for name in names]
