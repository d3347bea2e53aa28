"""What is known of people."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from .clock import database_now
from .models import ApiToken, Membership, User
from .tokens import token_digest


def memberships_at(moment: datetime) -> Q:
    """The condition on `Membership` for a period that contains `moment`."""
    return Q(starts_at__lte=moment) & (Q(ends_at__isnull=True) | Q(ends_at__gt=moment))


def is_member(*, user_id: int, at: datetime | None = None) -> bool:
    """Whether a membership period contains that moment, now by default."""
    return Membership.objects.filter(memberships_at(at or database_now()), user_id=user_id).exists()


def ending_memberships(*, until: datetime) -> QuerySet[Membership]:
    """Running periods that end by `until`, and that none follows without a gap."""
    next_ones = Membership.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=OuterRef("ends_at")),
        user_id=OuterRef("user_id"),
        starts_at__lte=OuterRef("ends_at"),
    )
    return Membership.objects.filter(
        ~Exists(next_ones), starts_at__lte=Now(), ends_at__gt=Now(), ends_at__lte=until, user__is_active=True
    )


def current_membership(*, user_id: int) -> Membership | None:
    """The period that runs now."""
    return Membership.objects.filter(memberships_at(database_now()), user_id=user_id).first()


def memberships_of(*, user_id: int) -> QuerySet[Membership]:
    """All periods, the newest first."""
    return Membership.objects.filter(user_id=user_id).order_by("-starts_at")


def user_for_token(plaintext: str) -> ApiToken | None:
    """The live token with its user, or None: unknown, revoked, or of somebody who may no longer sign in."""
    return (
        ApiToken.objects.select_related("user")
        .filter(digest=token_digest(plaintext), revoked_at__isnull=True, user__is_active=True)
        .first()
    )


def users_for_tokens(plaintexts: Collection[str]) -> dict[str, ApiToken]:
    """The live ones among these tokens, with their users. One query; see `user_for_token`."""
    by_digest = {token_digest(plaintext): plaintext for plaintext in plaintexts}
    if not by_digest:
        return {}
    tokens = ApiToken.objects.select_related("user").filter(
        digest__in=by_digest, revoked_at__isnull=True, user__is_active=True
    )
    return {by_digest[token.digest]: token for token in tokens}


def api_tokens_of(*, user: User, studio_slug: str = "") -> QuerySet[ApiToken]:
    """The tokens that still work, the newest first; with a slug, those for that studio alone."""
    tokens = ApiToken.objects.filter(user=user, revoked_at__isnull=True).order_by("-created_at")
    return tokens.filter(studio_slug=studio_slug) if studio_slug else tokens
