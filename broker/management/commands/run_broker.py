"""`manage.py run_broker`: the process that relays messages and runs the consumer groups."""

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from broker import placement, validation
from broker.current import current_topology
from broker.errors import InvalidTopology, MustMove
from broker.service import Service
from broker.sessions import guard_sessions


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT; any number of these may run at once."""

    help = "Relay published messages and run the consumer groups until stopped."
    requires_system_checks = ()  # they read every page's code, which this process never runs

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Check the topology, then serve. Exits with an error when a thread dies, so that a supervisor restarts it."""
        try:
            validation.check(current_topology())
            placement.check()
        except (InvalidTopology, MustMove) as error:
            raise CommandError(str(error)) from error
        guard_sessions()
        service = Service()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: service.stop())
        if not service.run():
            raise CommandError("A thread of the broker died; its log says why.")
