"""Announcements: who drafts, who publishes, whom they reach by the fanout exchange, and what is remembered."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import User
from broker.current import current_topology
from broker.messages import from_body
from broker.models import OperatorAction, OutboxMessage, WorkItem
from broker.topology import ExchangeType
from notifications.announcements.handlers import brief_operators
from notifications.announcements.models import Announcement
from notifications.queries import inbox
from tests.support.broker_app import handle_all, relay_all

from .notifications_support import a_viewer, titles

pytestmark = pytest.mark.usefixtures("transactional_db")
LIST = "/console/notifications/announcement/"


@pytest.fixture(autouse=True)
def _mail_in_memory(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def an_operator(name: str, *permissions: str) -> User:
    user = User.objects.create_user(f"{name}@example.test", "correct horse battery", is_staff=True)
    codes = [f"{permission}_announcement" for permission in permissions]
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    return user


def writer(name: str = "ada") -> User:
    return an_operator(name, "view", "add", "change", "delete")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def draft(author: User, **changes: Any) -> Announcement:
    until = timezone.now() + timedelta(days=2)
    values = {"title": "Tonight we rest", "body": "Maintenance from 02:00 to 02:10 UTC.", "url": "/"}
    values |= {"expires_at_0": f"{until:%Y-%m-%d}", "expires_at_1": f"{until:%H:%M:%S}"} | changes
    answer = signed_in(author).post(f"{LIST}add/", values)
    assert answer.status_code == 302, answer.context["errors"]
    return Announcement.objects.latest("pk")


def press(user: User, announcement: Announcement, verb: str) -> int:
    return signed_in(user).post(f"{LIST}{announcement.pk}/preview/", {"do": verb}).status_code


def carry_on() -> None:
    """What relay, groups and workers do."""
    relay_all()
    handle_all("platform")


def test_all_four_types_of_exchange_have_a_use() -> None:
    topology = current_topology()
    used = {each.exchange for each in topology.bindings}

    assert {each.type for each in topology.exchanges if each.name in used} == set(ExchangeType)


def test_what_is_published_reaches_everybody_and_the_operators_are_briefed() -> None:
    lead, viewer, lapsed = an_operator("lead", "view", "publish"), a_viewer(), a_viewer(member=False)
    announcement = draft(writer())
    assert titles(viewer) == []

    assert press(lead, announcement, "publish") == 302
    carry_on()

    assert titles(viewer) == titles(lapsed) == ["Tonight we rest"]
    (entry,) = inbox(viewer_id=viewer.pk).entries
    assert (entry.kind, entry.body) == ("announcement", "Maintenance from 02:00 to 02:10 UTC.")
    assert entry.positions == {"platform:all": 1}
    (item,) = WorkItem.objects.filter(queue="brief_operators")
    assert item.body["type"] == "announcement.published"


def test_the_briefing_is_one_mail_to_the_staff_who_may_see_announcements() -> None:
    author = writer()
    an_operator("elsewhere")
    viewer = a_viewer()
    lead = an_operator("lead", "view", "publish")
    press(lead, draft(author), "publish")
    relay_all()
    message = from_body(WorkItem.objects.get(queue="brief_operators").body)

    brief_operators(message)

    (briefing,) = mail.outbox
    assert briefing.bcc == ["ada@example.test", "lead@example.test"]
    assert viewer.email not in briefing.recipients()
    assert briefing.subject == "[Marquee] Published: Tonight we rest"
    assert briefing.extra_headers["Message-ID"] == f"<{message.id}@marquee.announcements>"


def test_what_is_withdrawn_changes_its_card() -> None:
    lead, viewer = an_operator("lead", "view", "publish"), a_viewer()
    announcement = draft(writer())
    for verb in ("publish", "withdraw"):
        press(lead, announcement, verb)
    carry_on()

    (entry,) = inbox(viewer_id=viewer.pk).entries
    assert (entry.title, entry.recalled, entry.revision) == ("Withdrawn: Tonight we rest", True, 2)


def test_pressing_twice_tells_once() -> None:
    lead = an_operator("lead", "view", "publish")
    announcement = draft(writer())

    for _ in range(2):
        press(lead, announcement, "publish")

    assert OutboxMessage.objects.filter(type="announcement.published").count() == 1


def test_a_draft_is_its_authors_and_of_those_who_may_publish() -> None:
    ada, bob, lead = writer("ada"), writer("bob"), an_operator("lead", "view", "publish")
    announcement = draft(ada)
    change = f"{LIST}{announcement.pk}/change/"
    edited = {"title": "Changed", "body": "x", "url": "/", "expires_at_0": "2040-01-01", "expires_at_1": "00:00:00"}

    assert signed_in(bob).post(change, edited).status_code == 403
    assert signed_in(bob).post(f"{LIST}{announcement.pk}/delete/", {"post": "yes"}).status_code == 403
    assert signed_in(lead).post(change, edited).status_code == 302
    assert signed_in(ada).post(change, edited | {"title": "Changed again"}).status_code == 302
    announcement.refresh_from_db()
    assert (announcement.title, announcement.author) == ("Changed again", ada)


def test_only_those_who_may_publish_do_and_nobody_edits_what_is_published() -> None:
    ada, lead = writer(), an_operator("lead", "view", "publish")
    announcement = draft(ada)

    assert press(ada, announcement, "publish") == 403
    assert press(an_operator("nobody"), announcement, "publish") == 403
    assert press(lead, announcement, "publish") == 302
    for user in (ada, lead):
        assert signed_in(user).post(f"{LIST}{announcement.pk}/change/", {"title": "No"}).status_code == 403
        assert signed_in(user).post(f"{LIST}{announcement.pk}/delete/", {"post": "yes"}).status_code == 403
    announcement.refresh_from_db()
    assert (announcement.state, announcement.title) == ("published", "Tonight we rest")


def test_what_has_expired_or_was_withdrawn_is_not_published() -> None:
    ada, lead = writer(), an_operator("lead", "view", "publish")
    old = draft(ada, expires_at_0="2020-01-01")
    gone = draft(ada)
    for verb in ("publish", "withdraw", "publish"):
        press(lead, gone, verb)
    press(lead, old, "publish")

    assert set(Announcement.objects.values_list("pk", "state")) == {(old.pk, "draft"), (gone.pk, "withdrawn")}


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example/", "/\\evil.example", "titles/x/", "/a b"])
def test_an_announcement_leads_to_this_site_alone(url: str) -> None:
    values = {"title": "T", "body": "B", "url": url, "expires_at_0": "2040-01-01", "expires_at_1": "00:00:00"}

    assert signed_in(writer()).post(f"{LIST}add/", values).status_code == 200
    assert not Announcement.objects.exists()


def test_every_decision_is_remembered_with_its_author() -> None:
    ada, lead = writer(), an_operator("lead", "view", "publish")
    announcement = draft(ada)
    for verb in ("publish", "withdraw"):
        press(lead, announcement, verb)

    decisions = OperatorAction.objects.filter(target=f"announcement:{announcement.pk}").order_by("pk")
    assert list(decisions.values_list("actor", "verb")) == [
        (ada.email, "draft"),
        (lead.email, "publish"),
        (lead.email, "withdraw"),
    ]
    page = signed_in(lead).get(f"{LIST}{announcement.pk}/preview/").content.decode()
    assert "lead@example.test, withdraw" in page
