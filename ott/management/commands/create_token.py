"""`create_token EMAIL [--studio SLUG] [--create]`: an API token, for scripts."""

import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.commands import create_api_token, create_viewer, start_membership
from accounts.models import User
from accounts.queries import is_member
from catalog.commands import add_studio_member, create_studio
from catalog.models import Studio, StudioMember
from catalog.permissions import role_in


class Command(BaseCommand):
    """Prints a new token, and nothing else."""

    help = "Print a new API token for a user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--studio", default="", metavar="SLUG", help="let the token act for this studio alone")
        parser.add_argument(
            "--create", action="store_true", help="make the user, an active membership and the studio if missing"
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        email, slug, create = options["email"].strip().lower(), options["studio"], options["create"]
        user = _user(email, create=create)
        if slug:
            _check_studio(user, slug, create=create)
        _, plaintext = create_api_token(user=user, name="create_token", studio_slug=slug)
        self.stdout.write(plaintext)


def _user(email: str, *, create: bool) -> User:
    user = User.objects.filter(email=email).first()
    if user is None and not create:
        raise CommandError(f"There is no user {email}. Add --create to make one.")
    user = user or create_viewer(email=email, password=secrets.token_urlsafe(24))
    if create and not is_member(user_id=user.pk):
        start_membership(user=user)
    return user


def _check_studio(user: User, slug: str, *, create: bool) -> None:
    studio = Studio.objects.filter(slug=slug).first()
    if studio is None and not create:
        raise CommandError(f"There is no studio {slug}. Add --create to make one.")
    if studio is None:
        create_studio(actor=user, name=slug.replace("-", " ").title(), slug=slug)
    elif role_in(user=user, studio=studio) is None:
        if not create:
            raise CommandError(f"{user.email} is not a member of {slug}. Add --create to make them an owner.")
        add_studio_member(actor=None, studio=studio, user=user, role=StudioMember.Role.OWNER)
