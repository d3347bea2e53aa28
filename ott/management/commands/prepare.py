"""Makes the database ready for this version of the code."""

from argparse import ArgumentParser
from typing import Any

import redis
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from notifications.outbound.sealing import reseal
from ott.demo import seed
from ott.embedded.prepared import remember_prepared


class Command(BaseCommand):
    """`manage.py prepare`: migrate and, with --seed, fill in the demo content once."""

    help = "Migrates the database and, with --seed, fills it with the demo content once."
    requires_system_checks = ()  # `migrate` makes them

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", action="store_true", help="fill in the demo content once")

    def handle(self, *args: Any, **options: Any) -> None:
        self._reach_servers()
        call_command("migrate", verbosity=0, interactive=False)
        reseal()
        if options["seed"] and not settings.PRODUCTION:
            seed(say=self.stdout.write)
        remember_prepared(settings.DATABASE_URL, secret_key=settings.SECRET_KEY, seed=options["seed"])

    def _reach_servers(self) -> None:
        try:
            connection.ensure_connection()
        except DatabaseError as error:
            raise CommandError(f"The database of DATABASE_URL cannot be used: {error}") from None
        try:
            with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
                client.ping()
        except redis.RedisError as error:
            raise CommandError(f"The Redis server of REDIS_URL cannot be used: {error}") from None
