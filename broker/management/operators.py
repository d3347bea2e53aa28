"""What the commands of operators share."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.core.management.base import CommandError, CommandParser

from broker.errors import BrokerError


def add_actor(parser: CommandParser) -> None:
    """Take `--actor`, who is named in the record of decisions."""
    parser.add_argument("--actor", default=f"{getpass.getuser()} (command line)", help="whose decision it is")


@contextmanager
def told() -> Iterator[None]:
    """Say in one line what the broker refuses."""
    try:
        yield
    except BrokerError as error:
        raise CommandError(str(error)) from error


def when(moment: datetime | None) -> str:
    """A moment for a table."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
