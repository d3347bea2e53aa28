"""`manage.py broker_queue`: how the work queues stand; pause one, resume it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from broker import queues
from broker.management.operators import add_actor, told
from broker.management.tables import table
from broker.models import WorkItem

_OPEN = (WorkItem.State.READY, WorkItem.State.RUNNING, WorkItem.State.DEAD)


class Command(BaseCommand):
    """`list`, `pause QUEUE`, `resume QUEUE`."""

    help = "Show how the work queues stand, pause one (what runs is finished, nothing more is begun), or resume it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the verb and the queue."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="all of them")
        for verb in ("pause", "resume"):
            deciding = verbs.add_parser(verb)
            deciding.add_argument("queue")
            add_actor(deciding)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the verb says, and show how the queues stand then."""
        if decide := {"pause": queues.pause, "resume": queues.resume}.get(options["verb"]):
            with told():
                decide(queue=options["queue"], actor=options["actor"])
        rows = [
            (
                each.queue.name,
                each.queue.lane,
                "paused" if each.is_paused else "open",
                *(each.items.get(name, 0) for name in _OPEN),
            )
            for each in queues.states()
        ]
        self.stdout.write(table(("queue", "lane", "claims", *_OPEN), rows))
