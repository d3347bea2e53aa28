"""Sign-up, membership periods, profiles and API tokens."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.commands import (
    create_api_token,
    create_viewer,
    end_membership,
    revoke_api_token,
    start_membership,
    update_profile,
)
from accounts.models import ApiToken, Membership, User, ViewerProfile
from accounts.problems import EmailTaken, InvalidProfile, NoMembership, OverlappingMembership, UnknownToken
from accounts.queries import current_membership, is_member, user_for_token
from catalog.models import StudioMember
from tests.support.catalog import a_studio, a_user

pytestmark = pytest.mark.django_db
NOW = timezone.now()
DAY = timedelta(days=1)


def entitlement(user: User) -> int:
    return ViewerProfile.objects.get(pk=user.pk).entitlement_version


def test_signing_up_in_the_browser_makes_a_profile_and_a_trial() -> None:
    answer = Client().post("/accounts/signup/", {"email": "New@example.test", "password1": "correct horse battery"})

    assert answer.status_code == 302
    user = User.objects.get(email="new@example.test")
    assert user.profile.entitlement_version >= 1
    membership = current_membership(user_id=user.pk)
    assert membership is not None
    assert membership.ends_at == membership.starts_at + 30 * DAY


def test_without_trials_a_new_viewer_is_no_member(settings: Settings) -> None:
    settings.OTT_TRIAL_DAYS = 0

    assert not is_member(user_id=create_viewer(email="a@example.test", password="x").pk)


def test_an_address_signs_up_once_in_whatever_case() -> None:
    create_viewer(email="a@example.test", password="x")

    with pytest.raises(EmailTaken):
        create_viewer(email="A@Example.Test", password="x")
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("begin", "end"), [(0, 10), (5, 6), (-5, 1), (9, 20), (-5, 20), (-5, None), (9, None), (3, 3), (3, 2)]
)
def test_membership_periods_do_not_overlap(begin: int, end: int | None) -> None:
    user = a_user()
    start_membership(user=user, starts_at=NOW, ends_at=NOW + 10 * DAY)
    before = entitlement(user)

    with pytest.raises(OverlappingMembership):
        start_membership(user=user, starts_at=NOW + begin * DAY, ends_at=None if end is None else NOW + end * DAY)

    assert Membership.objects.filter(user=user).count() == 1
    assert entitlement(user) == before


def test_periods_may_touch() -> None:
    user = a_user()
    start_membership(user=user, starts_at=NOW, ends_at=NOW + DAY)
    start_membership(user=user, starts_at=NOW + DAY)
    start_membership(user=user, starts_at=NOW - DAY, ends_at=NOW)

    assert Membership.objects.filter(user=user).count() == 3


def test_ending_a_membership_ends_the_running_period_and_cancels_later_ones() -> None:
    user = a_user()
    start_membership(user=user, starts_at=NOW - DAY, ends_at=NOW + DAY)
    start_membership(user=user, starts_at=NOW + 2 * DAY)
    before = entitlement(user)

    end_membership(user=user)

    assert not is_member(user_id=user.pk)
    assert is_member(user_id=user.pk, at=NOW - DAY / 2)
    assert Membership.objects.filter(user=user).count() == 1
    assert entitlement(user) == before + 1
    with pytest.raises(NoMembership):
        end_membership(user=user)


def test_renewing_leaves_a_gap() -> None:
    user = a_user()
    start_membership(user=user, starts_at=NOW - 3 * DAY)
    end_membership(user=user, at=NOW - 2 * DAY)
    start_membership(user=user, starts_at=NOW - DAY)

    assert [is_member(user_id=user.pk, at=NOW - days * DAY) for days in (2.5, 1.5, 0.5)] == [True, False, True]


def test_a_profile_changes_where_it_is_told_to_and_says_so() -> None:
    user = a_user()
    before = entitlement(user)

    profile = update_profile(user=user, time_zone="Europe/Vienna", is_kids=True, name="Ada", region="AT")

    assert (profile.time_zone, profile.is_kids, profile.languages) == ("Europe/Vienna", True, [])
    assert profile.region == "AT"
    assert profile.entitlement_version == before + 1
    assert User.objects.get(pk=user.pk).name == "Ada"
    assert update_profile(user=user, languages=["fr", "de", "fr"]).languages == ["de", "fr"]
    for unknown in ({"time_zone": "Moon/Tycho"}, {"languages": ["de", "tlh"]}, {"region": "XX"}):
        with pytest.raises(InvalidProfile):
            update_profile(user=user, **unknown)


def test_a_token_works_until_it_is_revoked_and_is_not_stored() -> None:
    user = a_user()
    token, plaintext = create_api_token(user=user, name="ci")

    assert user_for_token(plaintext) == token
    assert user_for_token(plaintext + "x") is None
    assert plaintext.startswith(token.prefix)
    assert plaintext not in str(ApiToken.objects.values().get())

    revoke_api_token(user=user, token_id=token.pk)
    revoke_api_token(user=user, token_id=token.pk)
    assert user_for_token(plaintext) is None


def test_nobody_revokes_the_token_of_somebody_else() -> None:
    token, plaintext = create_api_token(user=a_user(), name="ci")

    with pytest.raises(UnknownToken):
        revoke_api_token(user=a_user(), token_id=token.pk)
    assert user_for_token(plaintext) is not None


def test_the_token_of_a_user_who_was_locked_out_does_not_work() -> None:
    user = a_user()
    _, plaintext = create_api_token(user=user, name="ci")
    User.objects.filter(pk=user.pk).update(is_active=False)

    assert user_for_token(plaintext) is None


def command(*arguments: str) -> str:
    written = StringIO()
    call_command("create_token", *arguments, stdout=written)
    return written.getvalue()


def test_create_token_makes_what_is_missing_and_prints_the_token_alone() -> None:
    printed = command("new@example.test", "--studio", "night-shift", "--create")

    token = user_for_token(printed.strip())
    assert token is not None
    assert printed == f"{printed.strip()}\n"
    assert (token.user.email, token.studio_slug) == ("new@example.test", "night-shift")
    assert is_member(user_id=token.user_id)
    assert StudioMember.objects.get().role == StudioMember.Role.OWNER

    again = user_for_token(command("new@example.test", "--studio", "night-shift", "--create").strip())
    assert again is not None
    assert again.user_id == token.user_id


def test_create_token_makes_nothing_unless_it_is_told_to() -> None:
    studio, _ = a_studio()
    stranger = a_user()
    before = ApiToken.objects.count()

    for arguments in (
        ["nobody@example.test"],
        [stranger.email, "--studio", "none"],
        [stranger.email, "--studio", studio.slug],
    ):
        with pytest.raises(CommandError, match="Add --create"):
            command(*arguments)
    assert ApiToken.objects.count() == before
