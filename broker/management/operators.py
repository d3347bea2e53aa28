"""What the commands of operators share."""

import getpass
from argparse import ArgumentTypeError
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from broker.dead_letter_filter import Filter
from broker.errors import BrokerError, InvalidTarget
from broker.models import DeadLetter
from broker.offsets import Target, parse_target


def add_actor(parser: CommandParser) -> None:
    """Take `--actor`, who is named in the record of decisions."""
    parser.add_argument("--actor", default=f"{getpass.getuser()} (command line)", help="whose decision it is")


def add_filter(parser: CommandParser) -> None:
    """Take what dead letters can be chosen by."""
    parser.add_argument("--origin", default="", help="such as group:feed or queue:encode")
    parser.add_argument("--reason", choices=DeadLetter.Reason.values, default="")
    parser.add_argument("--type", default="", help="of the message")
    parser.add_argument("--key", default="")
    parser.add_argument("--error", default="", help="a part of it")
    parser.add_argument("--since", type=_moment, help="a time with its zone, such as 2026-01-31T20:00Z")
    parser.add_argument("--until", type=_moment)


def filter_from(options: Mapping[str, Any]) -> Filter:
    """The filter that `add_filter`'s options say."""
    return Filter(**{field.name: options[field.name] for field in fields(Filter)})


def target(text: str) -> Target:
    """An option's value as a place in a stream."""
    try:
        return parse_target(text)
    except InvalidTarget as error:
        raise ArgumentTypeError(str(error)) from error


def _moment(text: str) -> datetime:
    moment = target(text)
    if not isinstance(moment, datetime):
        raise ArgumentTypeError(f"{text} is no time")
    return moment


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
