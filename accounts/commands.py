"""Everything that changes people: sign-up, membership, preferences, API tokens."""

import secrets
import zoneinfo
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from broker.outbox import lock_keys, publish

from .clock import database_now
from .events import membership_ending
from .models import ApiToken, Membership, User, ViewerProfile
from .places import REGIONS, unknown_languages
from .problems import EmailTaken, InvalidProfile, NoMembership, OverlappingMembership, UnknownToken
from .queries import ending_memberships
from .standing import tell_of_change
from .tokens import token_digest

TOKEN_PREFIX_LENGTH = 10
TOLD_AT_ONCE = 500
TOUCH_EVERY = timedelta(minutes=1)


@transaction.atomic
def create_viewer(*, email: str, password: str, name: str = "") -> User:
    """Make a user with a profile and, where there are trials, a trial membership. Raises `EmailTaken`."""
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name)
    except IntegrityError as error:
        raise EmailTaken from error
    start_trial(user=user)
    return user


def start_trial(*, user: User) -> Membership | None:
    """Make a new viewer a member for `OTT_TRIAL_DAYS` days; with 0, do nothing."""
    days: int = settings.OTT_TRIAL_DAYS
    if days == 0:
        return None
    now = database_now()
    return start_membership(user=user, starts_at=now, ends_at=now + timedelta(days=days))


@transaction.atomic
def start_membership(*, user: User, starts_at: datetime | None = None, ends_at: datetime | None = None) -> Membership:
    """Begin a period [starts_at, ends_at), from now on and open-ended by default.

    Raises `OverlappingMembership` when any part of it is already covered, or when it would end before it begins.
    """
    lock_profile(user_id=user.pk)
    begin = starts_at or database_now()
    if ends_at is not None and ends_at <= begin:
        raise OverlappingMembership("A membership cannot end before it begins.")
    overlapping = Membership.objects.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=begin), user=user)
    if ends_at is not None:
        overlapping = overlapping.filter(starts_at__lt=ends_at)
    if overlapping.exists():
        raise OverlappingMembership
    bump_entitlements(user_id=user.pk)
    return Membership.objects.create(user=user, starts_at=begin, ends_at=ends_at)


@transaction.atomic
def end_membership(*, user: User, at: datetime | None = None) -> None:
    """End the running period at `at` (now by default), and cancel those that would begin later.

    Raises `NoMembership` when no period runs at that moment or begins after it.
    """
    lock_profile(user_id=user.pk)
    end = at or database_now()
    running = Membership.objects.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=end), user=user)
    cancelled, _ = running.filter(starts_at__gte=end).delete()
    if not running.filter(starts_at__lt=end).update(ends_at=end) + cancelled:
        raise NoMembership
    bump_entitlements(user_id=user.pk)


@transaction.atomic
def update_profile(
    *,
    user: User,
    name: str | None = None,
    time_zone: str | None = None,
    languages: Collection[str] | None = None,
    region: str | None = None,
    is_kids: bool | None = None,
) -> ViewerProfile:
    """Change what is given and leave the rest; no `languages` mean any, an empty `region` that none is said.

    Raises `InvalidProfile` for a time zone, a language or a region that does not exist.
    """
    if time_zone is not None and time_zone not in zoneinfo.available_timezones():
        raise InvalidProfile(f"There is no time zone {time_zone!r}.")
    if unknown := unknown_languages(languages or ()):
        raise InvalidProfile(f"There is no language {unknown[0]!r} here.")
    if region and region not in REGIONS:
        raise InvalidProfile(f"There is no region {region!r}.")
    if name is not None:
        User.objects.filter(pk=user.pk).update(name=name)
        user.name = name
    chosen = None if languages is None else sorted(set(languages))
    changes = {"time_zone": time_zone, "languages": chosen, "region": region, "is_kids": is_kids}
    given = {field: value for field, value in changes.items() if value is not None}
    ViewerProfile.objects.filter(pk=user.pk).update(**given, entitlement_version=F("entitlement_version") + 1)
    tell_of_change(user.pk)
    return ViewerProfile.objects.get(pk=user.pk)


@transaction.atomic
def tell_of_ending_memberships(*, within: timedelta) -> int:
    """Publish `membership.ending` for periods that end within that time, each once; how many there were.

    At most `TOLD_AT_ONCE` a call, and safe to run twice at once: each takes those that the other leaves.
    """
    untold = ending_memberships(until=database_now() + within).filter(end_told_at__isnull=True)
    claimed = untold.select_for_update(of=("self",), skip_locked=True).order_by("ends_at", "pk")[:TOLD_AT_ONCE]
    ending = sorted(claimed, key=lambda membership: membership.user_id)
    lock_keys(membership_ending(membership).key for membership in ending)
    for membership in ending:
        publish(membership_ending(membership))
    Membership.objects.filter(pk__in=[membership.pk for membership in ending]).update(end_told_at=Now())
    return len(ending)


def bump_entitlements(*, user_id: int) -> None:
    """Say that what this viewer may see has changed: open pages of theirs load their lists again."""
    ViewerProfile.objects.filter(pk=user_id).update(entitlement_version=F("entitlement_version") + 1)
    tell_of_change(user_id)


def lock_profile(*, user_id: int) -> ViewerProfile:
    """Serialise changes of one viewer until the transaction ends."""
    return ViewerProfile.objects.select_for_update().get(pk=user_id)


def create_api_token(*, user: User, name: str, studio_slug: str = "") -> tuple[ApiToken, str]:
    """Make a token and give it in plain text: the only time that anybody sees it.

    With a studio's slug it may act for that studio alone.
    """
    plaintext = f"mq_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=plaintext[:TOKEN_PREFIX_LENGTH],
        digest=token_digest(plaintext),
        studio_slug=studio_slug,
    )
    return token, plaintext


def revoke_api_token(*, user: User, token_id: int) -> None:
    """Make a token useless from now on; again is fine. Raises `UnknownToken` for somebody else's."""
    mine = ApiToken.objects.filter(pk=token_id, user=user)
    if mine.filter(revoked_at__isnull=True).update(revoked_at=Now()):
        tell_of_change(user.pk)
    elif not mine.exists():
        raise UnknownToken


def touch_api_token(*, token: ApiToken) -> None:
    """Remember that the token was used, at most once a minute."""
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - TOUCH_EVERY)
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=Now())
