"""`manage.py rebuild_projection NAME`: make a table anew from its events, while the system runs."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from broker.errors import BrokerError
from broker.rebuild import Rebuilt, rebuild_projection


class Command(BaseCommand):
    """Rebuilds a projection beside the live table, says how they differ, and swaps them."""

    help = "Rebuild a projection from all events into a shadow table, compare it with the live one, and swap them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the projection's name and `--check`."""
        parser.add_argument("name", choices=sorted(settings.BROKER_PROJECTIONS))
        parser.add_argument("--check", action="store_true", help="compare only; fails where the live table differs")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Rebuild, and tell."""
        name, check = options["name"], options["check"]
        try:
            rebuilt = rebuild_projection(name, swap=not check)
        except BrokerError as error:
            raise CommandError(f"{name}: {error}") from error
        self._tell(name, rebuilt)
        if check and rebuilt.differences.total:
            raise CommandError("The live table differs from its events. Without --check it is replaced.")

    def _tell(self, name: str, rebuilt: Rebuilt) -> None:
        found = rebuilt.differences
        self.stdout.write(f"{name}: {rebuilt.rows} rows made of events in {rebuilt.seconds:.1f} s")
        self.stdout.write(
            f"The live table had {found.missing} rows missing, {found.surplus} too many, {found.different} different"
        )
        for example in found.examples:
            self.stdout.write(f"  {example}")
        self.stdout.write(
            "Swapped: the rebuilt table is the live one now" if rebuilt.swapped else "Nothing was changed"
        )
