"""Why a viewer got a notification, and why another did not."""

import random
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.clock import database_now
from accounts.commands import create_api_token, end_membership, start_membership, update_profile
from accounts.models import User
from notifications.commands import mute, revise_notification, subscribe, unsubscribe
from notifications.explanations import explain
from notifications.given_topics import PLATFORM, own_topic
from notifications.models import Notification
from notifications.outbound import endpoints
from notifications.outbound.models import Delivery
from notifications.queries import inbox
from notifications.read_commands import dismiss

from .notifications_support import MOVIES, a_viewer, post
from .outbound_support import follower

pytestmark = pytest.mark.django_db
PAGE = "/console/notifications/notification/why/"


def obstacle(viewer: User, notification: Notification) -> str:
    check = explain(viewer=viewer, notification=notification).obstacle
    return f"{check.question} {check.detail}" if check else ""


def facts(viewer: User, notification: Notification) -> list[str]:
    """What decides nothing: the account, then the deliveries."""
    return [c.detail for c in explain(viewer=viewer, notification=notification).checks if c.passed is None]


def test_whoever_got_it_passes_every_check() -> None:
    viewer = follower()
    posted = post("Low Tide")

    explanation = explain(viewer=viewer, notification=posted)

    assert explanation.is_visible
    assert explanation.obstacle is None
    assert "They followed Movies from no. 1; it is no. 1." in [check.detail for check in explanation.checks]


def test_each_obstacle_is_named() -> None:
    never, late, other_kind, muted = a_viewer(), a_viewer(), a_viewer(), follower()
    lapsed, child, abroad, tidy = follower(), follower(is_kids=True), follower(), follower()
    subscribe(viewer_id=other_kind.pk, topic=MOVIES, kinds=["episode"])
    mute(viewer_id=muted.pk, topic=MOVIES, until=database_now() + timedelta(days=1))
    end_membership(user=lapsed)
    update_profile(user=abroad, languages=["de"])
    posted = post("Low Tide", maturity=12, languages=["fr"])
    subscribe(viewer_id=late.pk, topic=MOVIES)
    dismiss(viewer_id=tidy.pk, ids=[posted.pk])

    assert obstacle(never, posted) == "Was it theirs to hear of at the time? They never followed Movies."
    assert obstacle(late, posted).endswith("They followed Movies from no. 2; it is no. 1.")
    assert obstacle(other_kind, posted) == "Did they want this kind? Not premieres."
    assert obstacle(muted, posted) == "Was the topic not muted? It was muted."
    assert obstacle(lapsed, posted).startswith("Were they a member at the time?")
    assert obstacle(child, posted).startswith("Does the rating suit the profile? It is rated 12+")
    assert obstacle(abroad, posted).startswith("Is it in a language of theirs?")
    assert obstacle(tidy, posted) == "Did they keep it? They dismissed it themselves."


def test_what_has_expired_or_is_anothers_own_is_said_so() -> None:
    viewer, other = follower(), a_viewer()
    expired = post("Over", expires_at=database_now() - timedelta(seconds=1))
    theirs = post("Theirs", own_topic(other.pk), kind="reminder")

    assert obstacle(viewer, expired).startswith("Has it not expired? It expired on ")
    assert obstacle(viewer, theirs).startswith("Was it posted? Nowhere that they could see")
    assert own_topic(other.pk) not in str(explain(viewer=viewer, notification=theirs).checks)


def test_what_is_given_is_explained_without_membership() -> None:
    lapsed = a_viewer(member=False)
    explanation = explain(viewer=lapsed, notification=post("News", PLATFORM, kind="announcement"))

    assert explanation.is_visible
    assert "It needs no membership." in [check.detail for check in explanation.checks]


def test_deliveries_are_told_with_state_attempts_and_reason() -> None:
    viewer, without, nowhere = follower(), follower(), follower()
    mailbox = endpoints.set_mail(viewer_id=viewer.pk, on=True)
    endpoints.set_mail(viewer_id=without.pk, on=False)
    posted = post("Low Tide")
    Delivery.objects.create(
        notification_id=posted.pk,
        viewer_id=viewer.pk,
        channel="mail",
        endpoint_id=mailbox.pk,
        lane=2,
        state="dead",
        attempts=10,
        finished_at=database_now(),
        last_error="451 busy",
    )

    _, delivery = facts(viewer, posted)
    assert delivery.startswith("Dead after 10 attempts, ended on ")
    assert delivery.endswith("451 busy")
    assert facts(without, posted)[1].startswith("No delivery is on record. It has been off since ")
    assert facts(nowhere, posted)[1] == "They have no mailbox, browser or webhook switched on."


def test_the_checks_agree_with_the_inbox_whatever_happened() -> None:
    """Random histories: all checks pass exactly when the inbox shows it, and exactly when the rule says so."""
    dice = random.Random(7)
    topics = [MOVIES, "category:sports", PLATFORM]
    viewers = [a_viewer(is_kids=dice.random() < 0.3, member=dice.random() < 0.8) for _ in range(6)]
    posted: list[Notification] = []
    for step in range(60):
        live_a_little(dice, dice.choice(viewers), dice.choice(topics[:2]))
        if posted and dice.random() < 0.2:
            chosen = dice.choice(posted)
            revise_notification(subject=chosen.subject, subject_version=100 + step, maturity=dice.choice([0, 12]))
        if dice.random() < 0.4:
            languages, kind = dice.choice([None, ["en"], ["de", "fr"]]), dice.choice(["premiere", "episode"])
            posted.append(post(f"{step}", *dice.sample(topics, dice.randint(1, 2)), kind=kind, languages=languages))

    answers = set()
    for viewer in viewers:
        seen = {entry.id for entry in inbox(viewer_id=viewer.pk, limit=100).entries}
        for notification in Notification.objects.all():
            explanation = explain(viewer=viewer, notification=notification)
            assert explanation.is_visible == (notification.pk in seen)
            assert (explanation.obstacle is None) == explanation.is_visible, explanation
            answers.add(explanation.obstacle.question if explanation.obstacle else "")
    assert len(answers) >= 5


def live_a_little(dice: random.Random, viewer: User, topic: str) -> None:
    """One of the things that viewers do."""
    match dice.randrange(5):
        case 0 | 1:
            subscribe(viewer_id=viewer.pk, topic=topic, kinds=dice.choice([None, ["episode"], ["premiere"]]))
        case 2:
            unsubscribe(viewer_id=viewer.pk, topic=topic)
        case 3:
            is_member = viewer.memberships.filter(ends_at__isnull=True).exists()
            (end_membership if is_member else start_membership)(user=viewer)
        case _:
            update_profile(user=viewer, languages=dice.choice([[], ["de"], ["en", "de"]]))


def test_an_explanation_costs_four_queries_however_many_postings_there_are() -> None:
    viewer = follower()
    posted = post("Low Tide", MOVIES, "category:sports")
    for version in range(2, 6):
        revise_notification(subject=posted.subject, subject_version=version, title=f"{version}")

    with CaptureQueriesContext(connection) as captured:
        assert explain(viewer=viewer, notification=posted).is_visible

    assert len(captured) == 4


# --- Pages and API --------------------------------------------------------------------------------------------------
def test_the_api_says_by_which_topics_it_came() -> None:
    viewer = follower()
    posted = post("Low Tide", MOVIES, "category:sports")
    _, token = create_api_token(user=viewer, name="test")
    api = Client(headers={"Authorization": f"Bearer {token}"})

    (reason,) = api.get(f"/api/v1/inbox/{posted.pk}/why").json()
    assert (reason["topic"], reason["label"], reason["is_given"]) == (MOVIES, "Movies", False)
    theirs = post("Theirs", own_topic(a_viewer().pk), kind="reminder")
    refused = api.get(f"/api/v1/inbox/{theirs.pk}/why")
    assert (refused.status_code, refused.json()["type"]) == (404, "/problems/unknown-notification")
    assert api.get("/api/v1/inbox/0/why").status_code == 422


def test_the_drawer_says_what_is_personal_and_what_is_for_everybody() -> None:
    viewer = a_viewer()
    client = Client()
    client.force_login(viewer)
    mine = post("Mine", own_topic(viewer.pk), kind="reminder")
    news = post("News", PLATFORM, kind="announcement")

    assert b"about you alone" in client.get(f"/notifications/{mine.pk}/why/").content
    assert b"news from us to everybody" in client.get(f"/notifications/{news.pk}/why/").content


def test_the_console_answers_those_who_may_ask() -> None:
    viewer, posted = a_viewer(), post("Low Tide")
    operator = User.objects.create_user("ada@example.test", "correct horse battery", is_staff=True)
    client = Client()
    client.force_login(operator)
    asked = {"viewer": viewer.email.upper(), "notification": "low t"}
    assert client.get(PAGE, asked).status_code == 403

    operator.user_permissions.set(Permission.objects.filter(codename="explain_notification"))
    text = " ".join(client.get(PAGE, asked).content.decode().split())
    assert f"{viewer.email} does not have it in the app." in text
    assert "They never followed Movies." in text
    assert "Nobody has this address." in client.get(PAGE, asked | {"viewer": "x@example.test"}).content.decode()
    assert "no such notification" in client.get(PAGE, asked | {"notification": str(posted.pk + 1)}).content.decode()
