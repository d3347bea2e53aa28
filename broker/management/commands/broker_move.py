"""`manage.py broker_move [ADDRESS]`: move streams to another engine, or to the topology's number of partitions."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from broker import moving
from broker.errors import NotDrained, StreamsUnavailable
from broker.moving import Waiting
from broker.streams.kinds import problem_with


class Command(BaseCommand):
    """Waits until the groups that run have handled everything, then lets them go on elsewhere."""

    help = (
        "Let the running groups handle what is left, and move to another stream engine, or to the number of partitions "
        "that the topology says. Run it with BROKER_STREAMS as it was; see docs/operations.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the new address and the patience."""
        parser.add_argument("address", nargs="?", default="", help="the new BROKER_STREAMS; the present one without it")
        parser.add_argument("--seconds", type=float, default=300.0, help="how long to wait for the groups (300)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Move, saying what is waited for."""
        address = options["address"] or settings.BROKER_STREAMS
        if problem := problem_with(address):
            raise CommandError(f"The new address: {problem}")
        try:
            moving.move(to=address, seconds=options["seconds"], on_wait=self._tell)
        except (NotDrained, StreamsUnavailable) as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Moved. Restart every process with the new BROKER_STREAMS and the new topology.")

    def _tell(self, left: Sequence[Waiting]) -> None:
        entries = sum(each.entries for each in left)
        self.stdout.write(f"Waiting for {entries} entries in {len(left)} partitions.", self.style.NOTICE)
