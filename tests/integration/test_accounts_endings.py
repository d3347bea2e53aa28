"""A membership that ends soon: who is told, once, and that they still read it when it has ended."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.clock import database_now
from accounts.commands import end_membership, start_membership, tell_of_ending_memberships
from accounts.models import Membership, User
from accounts.tasks import tell_of_ending_memberships as beat
from broker.messages import from_body
from broker.models import OutboxMessage, WorkItem
from notifications.personal import on_membership_ending
from notifications.queries import inbox
from tests.support.broker_app import relay_all

from .notifications_support import LONG_AGO, a_viewer, titles

pytestmark = pytest.mark.usefixtures("transactional_db")
SOON = timedelta(days=3)


def ending(*, days: float, starts: int = -30) -> User:
    """A viewer whose only membership ends in so many days."""
    user, now = a_viewer(member=False), database_now()
    Membership.objects.create(user=user, starts_at=now + timedelta(days=starts), ends_at=now + timedelta(days=days))
    return user


def told() -> list[int]:
    """Whom messages were published for, after this round."""
    tell_of_ending_memberships(within=SOON)
    keys = OutboxMessage.objects.filter(type="membership.ending").order_by("id").values_list("key", flat=True)
    return [int(key.removeprefix("viewer:")) for key in keys]


def work() -> None:
    relay_all()
    for item in WorkItem.objects.filter(queue="tell_member").order_by("pk"):
        on_membership_ending(from_body(item.body))


def test_those_whose_membership_ends_soon_are_told_once_each() -> None:
    soon, sooner = ending(days=2.9), ending(days=0.1)
    ending(days=3.1), ending(days=-1), ending(days=2, starts=1), a_viewer()

    assert told() == [soon.pk, sooner.pk]
    assert told() == [soon.pk, sooner.pk]
    work()
    work()
    (entry,) = inbox(viewer_id=soon.pk).entries
    assert entry.kind == "announcement"
    assert entry.title.startswith("Your membership ends on ")


def test_whoever_has_another_period_is_not_told() -> None:
    renewed, inactive = ending(days=1), ending(days=1)
    start_membership(user=renewed, starts_at=renewed.memberships.get().ends_at)
    User.objects.filter(pk=inactive.pk).update(is_active=False)

    assert told() == []


def test_a_gap_before_the_next_period_is_worth_a_message() -> None:
    user = ending(days=1)
    Membership.objects.create(user=user, starts_at=database_now() + timedelta(days=2))

    assert told() == [user.pk]


def test_a_renewal_before_the_message_is_handled_makes_it_needless() -> None:
    user = ending(days=1)
    told()
    start_membership(user=user, starts_at=user.memberships.get().ends_at)

    work()

    assert titles(user) == []


def test_the_message_is_there_when_the_membership_has_ended() -> None:
    user = ending(days=1)
    told()
    work()

    end_membership(user=user)

    assert len(titles(user)) == 1
    assert inbox(viewer_id=user.pk).unread == 1


def test_a_new_period_is_told_of_in_its_turn() -> None:
    user = ending(days=1)
    told()
    Membership.objects.filter(user=user).update(ends_at=LONG_AGO + timedelta(days=1), starts_at=LONG_AGO)
    now = database_now()
    start_membership(user=user, starts_at=now, ends_at=now + timedelta(days=1))

    assert told() == [user.pk, user.pk]


def test_however_many_there_are_the_search_is_one_query_and_the_beat_takes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.commands.TOLD_AT_ONCE", 2)
    users = [ending(days=1) for _ in range(5)]

    with CaptureQueriesContext(connection) as queries:
        assert tell_of_ending_memberships(within=SOON) == 2
    beat()

    searches = [query for query in queries if "FOR UPDATE" in query["sql"]]
    assert len(searches) == 1
    assert OutboxMessage.objects.filter(type="membership.ending").count() == len(users)
