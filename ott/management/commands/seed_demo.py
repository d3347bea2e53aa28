"""`seed_demo`: fill an empty platform with the demo's studios, titles, releases and people."""

from typing import Any

from django.core.management.base import BaseCommand

from ott.demo import people, seed


class Command(BaseCommand):
    """Makes the demo content, once; a run that was killed is finished by the next one."""

    help = "Fill the platform with demo content. Safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        if not seed(say=self.stdout.write):
            self.stdout.write("The demo content is there already.")
        accounts = f"{people.STUDIO}, {people.VIEWER} or {people.OPERATOR}"
        self.stdout.write(f"Sign in as {accounts}; the password is {people.PASSWORD}")
