"""Says whether one dependency does its part: what a container's health check asks."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ott.health import CHECKS


class Command(BaseCommand):
    """`manage.py ready NAME`: exit code 0 if it is, 1 with the reason if not."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=list(CHECKS))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            CHECKS[options["name"]]()
        except Exception as error:
            raise CommandError(f"{options['name']}: {error}") from None
        self.stdout.write(f"{options['name']}: ok")
