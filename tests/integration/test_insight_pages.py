"""What studios, operators and strangers get to see of how far a release came, on pages and over the API."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.commands import create_api_token
from accounts.models import User
from broker.models import DeadLetter
from catalog.models import Release, Studio
from notifications.insight.models import Reach, Stage
from notifications.insight.queries import insight_of
from notifications.models import Notification
from notifications.outbound.housekeeping import prune
from notifications.outbound.models import Delivery
from tests.support.catalog import a_draft, a_member, a_studio, a_user

from .notifications_support import post

pytestmark = pytest.mark.django_db
Counted = Callable[[int], AbstractContextManager[Any]]
OF_THE_SESSION = 3  # session, user, profile


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def a_posted_release(studio: Studio) -> tuple[Release, Notification]:
    release = a_draft(studio)
    return release, post(release.headline, f"studio:{studio.slug}", "category:movies", subject=f"release:{release.pk}")


def reached(notification: Notification, **viewers: int) -> None:
    Reach.objects.bulk_create(
        Reach(notification=notification, stage=stage, viewers=count) for stage, count in viewers.items()
    )


def deliver(notification: Notification, *rows: dict[str, Any]) -> None:
    Delivery.objects.bulk_create(
        Delivery(notification_id=notification.pk, viewer_id=number, endpoint_id=number, lane=2, **row)
        for number, row in enumerate(rows, start=1)
    )


def fragment(release: Release) -> str:
    return f"/notifications/fragments/insight/?subject=release:{release.pk}"


def addresses(studio: Studio, release: Release) -> Iterator[str]:
    yield fragment(release)
    yield f"/notifications/fragments/insights/?topic=studio:{studio.slug}"
    yield f"/api/v1/releases/{release.pk}/insight"


def test_members_in_any_role_and_operators_see_the_figures_and_strangers_do_not() -> None:
    studio, owner = a_studio()
    release, _ = a_posted_release(studio)
    operator = User.objects.create_superuser(f"{uuid4().hex}@example.org", "a-long-password")
    rival = a_studio()[1]
    for address in addresses(studio, release):
        for allowed in (owner, a_member(studio, "editor"), operator):
            assert signed_in(allowed).get(address).status_code == 200, address
        for stranger in (rival, a_user()):
            assert signed_in(stranger).get(address).status_code == 403, address
        assert Client().get(address).status_code in {302, 401}


@pytest.mark.parametrize("subject", ["", "release:", "release:nonsense", "studio:", "viewer:1", "category:movies"])
def test_a_subject_that_belongs_to_no_studio_is_nobodys_to_see(subject: str) -> None:
    _, owner = a_studio()
    for address in ("insight/?subject=", "insights/?topic="):
        assert signed_in(owner).get(f"/notifications/fragments/{address}{subject}").status_code == 403


def test_a_token_of_another_studio_does_not_serve_even_for_an_operator() -> None:
    mine, owner = a_studio()
    User.objects.filter(pk=owner.pk).update(is_superuser=True)
    other, _ = a_studio(owner)
    release, _ = a_posted_release(mine)
    for slug, status in ((mine.slug, 200), (other.slug, 403), ("", 200)):
        _, token = create_api_token(user=owner, name="test", studio_slug=slug)
        answer = Client().get(f"/api/v1/releases/{release.pk}/insight", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status, slug


def test_the_api_tells_viewers_by_stage_and_deliveries_by_channel() -> None:
    studio, owner = a_studio()
    release, notification = a_posted_release(studio)
    reached(notification, routed=1200, posted=1000, pushed=400, seen=310, opened=20)
    deliver(
        notification,
        {"channel": "mail", "state": "sent", "attempts": 3},
        {
            "channel": "mail",
            "state": "dead",
            "attempts": 10,
            "last_error": "The mail server answered 451: x@y.z",
        },
        {
            "channel": "webhook",
            "attempts": 1,
            "last_error": "ClientConnectorError: Cannot connect to secret.example",
        },
        {"channel": "webhook", "attempts": 1, "lease_token": uuid4()},
        {"channel": "webhook"},
    )
    answer = signed_in(owner).get(f"/api/v1/releases/{release.pk}/insight").json()
    assert answer["reach"] == {"routed": 1200, "posted": 1000, "pushed": 400, "seen": 310, "opened": 20}
    nothing = {
        "waiting": 0,
        "retrying": 0,
        "sent": 0,
        "dead": 0,
        "expired": 0,
        "cancelled": 0,
        "suppressed": 0,
        "failed": 0,
    }
    assert answer["channels"] == {
        "mail": nothing | {"sent": 1, "dead": 1, "failed": 12},
        "webhook": nothing | {"waiting": 2, "retrying": 1, "failed": 1},
    }
    assert answer["failures"] == [
        {"where": "E-mail", "reason": "Answered 451", "count": 1, "is_over": True},
        {"where": "Webhook", "reason": "Could not be reached", "count": 1, "is_over": False},
    ]
    assert "secret.example" not in str(answer)


def test_the_page_shows_the_funnel_without_inline_styles_and_asks_again() -> None:
    studio, owner = a_studio()
    release, notification = a_posted_release(studio)
    reached(notification, routed=12480, posted=12000, pushed=3120, seen=1560, opened=78)
    page = signed_in(owner).get(fragment(release)).content.decode()
    for shown in ("12,480", "3,120", 'width="25.0"', 'width="0.6"', 'hx-trigger="every 2s"'):
        assert shown in page
    assert "style=" not in page
    assert f'hx-get="{fragment(release)}"' in page


def test_an_old_release_is_asked_for_less_often() -> None:
    studio, owner = a_studio()
    release, notification = a_posted_release(studio)
    notification.postings.update(posted_at=timezone.now() - timedelta(hours=1))
    assert 'hx-trigger="every 20s"' in signed_in(owner).get(fragment(release)).content.decode()


def test_what_is_held_up_on_the_way_is_told_before_anything_is_posted() -> None:
    studio, owner = a_studio()
    release = a_draft(studio)
    key = f"release:{release.pk}"
    for origin, state in (("group:feed", "waiting"), ("queue:fan_out", "discarded"), ("delivery:mail", "waiting")):
        DeadLetter.objects.create(
            reason="handler_failed",
            state=state,
            origin=origin,
            key=key,
            message_id=uuid4(),
            body={},
        )
    found = insight_of(subject=f"release:{release.pk}")
    assert [(failure.where, failure.reason, failure.count) for failure in found.failures] == [
        ("group:feed", "Handler failed", 1)
    ]
    page = signed_in(owner).get(fragment(release)).content.decode()
    assert "nobody has been told yet" in page
    assert "group:feed" in page


def test_estimates_that_cross_are_put_in_order() -> None:
    release, notification = a_posted_release(a_studio()[0])
    reached(notification, posted=100, pushed=99, seen=101)
    reach = insight_of(subject=f"release:{release.pk}").reach
    assert [reach[stage] for stage in Stage] == [101, 101, 101, 101, 0]


def test_deliveries_that_are_pruned_are_still_counted() -> None:
    release, notification = a_posted_release(a_studio()[0])
    long_ago = timezone.now() - timedelta(days=40)
    ended = {"channel": "mail", "state": "sent", "attempts": 2, "finished_at": long_ago}
    deliver(notification, ended, ended, {"channel": "mail", "state": "dead", "attempts": 3, "finished_at": long_ago})
    before = insight_of(subject=f"release:{release.pk}").channels
    assert prune() == 3
    assert prune() == 0
    assert not Delivery.objects.exists()
    assert insight_of(subject=f"release:{release.pk}").channels == before
    assert (before["mail"].sent, before["mail"].dead, before["mail"].failed) == (2, 1, 5)


def test_figures_cost_a_fixed_number_of_queries(django_assert_num_queries: Counted) -> None:
    studio, owner = a_studio()
    release, notification = a_posted_release(studio)
    for _ in range(5):
        a_posted_release(studio)
    reached(notification, routed=3, posted=2)
    client = signed_in(owner)
    with django_assert_num_queries(OF_THE_SESSION + 1 + 4):  # may they; notification, reach, dead letters, deliveries
        client.get(fragment(release))
    with django_assert_num_queries(OF_THE_SESSION + 1 + 2):
        page = client.get(f"/notifications/fragments/insights/?topic=studio:{studio.slug}").content.decode()
    assert page.count("insights__release") == 6
