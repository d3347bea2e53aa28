"""The live protocol over real sockets: order, resume, healing, read state, and changes of what one may see."""

import time
from datetime import timedelta

import pytest

from accounts.clock import database_now
from accounts.commands import end_membership, start_membership, update_profile
from accounts.models import Membership, User
from broker.messages import Message
from notifications.commands import revise_notification, subscribe, unsubscribe
from notifications.queries import inbox
from notifications.read_commands import mark_read
from notifications.tasks import fan_out

from .live_support import Client, LiveServer, push
from .notifications_support import LONG_AGO, MOVIES, given, post

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_posting_reaches_every_tab_at_once_in_order(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as one, Client(live_web, subscriber) as two:
        for tab in (one, two):
            assert tab.resume()["positions"] == {MOVIES: 0} | given(subscriber)

        for title in ("First", "Second", "Third"):
            push(post(title))

        assert one.titles(3) == two.titles(3) == ["First", "Second", "Third"]
        assert one.positions == {MOVIES: 3} | given(subscriber)


def test_what_was_missed_comes_after_the_welcome_once_and_then_a_ping(live_web: LiveServer, subscriber: User) -> None:
    page = inbox(viewer_id=subscriber.pk)
    post("First")
    post("Second")

    with Client(live_web, subscriber) as client:
        welcome = client.resume(page.epoch, page.positions)
        frames = [client.receive(2) for _ in range(3)]

    assert (welcome["type"], welcome["positions"], welcome["unread"]) == ("welcome", page.positions, 2)
    assert [frame.get("title", frame["type"]) for frame in frames] == ["First", "Second", "ping"]
    assert client.positions == {MOVIES: 2} | given(subscriber)


def test_a_resume_with_what_is_held_brings_nothing_twice(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        push(post("Seen"))
        client.titles(1)
    post("Missed")

    with Client(live_web, subscriber) as again:
        again.resume(client.epoch, client.positions)
        assert again.titles(1) == ["Missed"]
        push(post("Live"))
        assert again.titles(1) == ["Live"]


def test_hints_that_arrive_out_of_order_and_twice_are_put_in_order(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        first, second, third = post("First"), post("Second"), post("Third")

        for notification in (third, first, third, second, first):
            push(notification)

        assert client.titles(3) == ["First", "Second", "Third"]
        assert client.hears_nothing()


def test_a_posting_that_no_hint_tells_of_arrives_within_three_seconds(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        post("Never pushed")

        assert client.titles(1, within=3) == ["Never pushed"]


def test_a_notification_by_three_topics_comes_once(live_web: LiveServer, subscriber: User) -> None:
    for topic in ("studio:aurora", "title:x"):
        subscribe(viewer_id=subscriber.pk, topic=topic)
    with Client(live_web, subscriber) as client:
        client.resume()
        push(post("Once", MOVIES, "studio:aurora", "title:x"))

        assert client.titles(1) == ["Once"]
        assert client.hears_nothing()


def test_a_recall_changes_the_card_in_place(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        push(post("Leaked", subject="release:a"))
        shown = client.next("notification")
        recalled = revise_notification(subject="release:a", subject_version=2, recalled=True)
        assert recalled is not None
        push(recalled)

        changed = client.next("notification")

    assert (changed["id"], changed["revision"], changed["recalled"]) == (shown["id"], 2, True)


def test_an_early_hint_that_shows_a_later_state_is_not_repeated(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        posted = post("Tuesday", subject="release:a")
        first = {"notification_id": posted.pk, "revision": 1, "positions": {MOVIES: 1}}
        revised = revise_notification(subject="release:a", subject_version=2, title="Wednesday")
        assert revised is not None

        fan_out(Message(type="notification.posted", data=first, key="k", exchange="notifications", routing_key=""))
        push(revised)

        assert client.titles(1) == ["Wednesday"]
        assert client.hears_nothing()


def test_reading_in_one_tab_is_told_to_the_other(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as one, Client(live_web, subscriber) as two:
        one.resume()
        two.resume()
        push(post("Read me"))
        ids = [one.next("notification")["id"]]
        two.titles(1)

        one.send(type="read", ids=ids)

        states = {"read": {str(ids[0]): 1}, "unread": {}, "dismissed": {}}
        for tab in (one, two):
            told = tab.next("read")
            assert told == {"type": "read", "ids": ids, "states": states, "positions": {}, "unread": 0}


def test_a_read_that_no_hint_tells_of_is_found_by_the_tick(
    live_web: LiveServer, subscriber: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        posted = post("Read elsewhere")
        push(posted)
        client.titles(1)
        monkeypatch.setattr("notifications.live.push._send_soon", lambda message: None)

        mark_read(viewer_id=subscriber.pk, ids=[posted.pk])

        told = client.next("read", within=3)
        assert (told["ids"], told["unread"]) == ([posted.pk], 0)


def test_what_was_read_while_the_client_was_away_is_told_when_it_resumes(
    live_web: LiveServer, subscriber: User
) -> None:
    known = post("Known")
    page = inbox(viewer_id=subscriber.pk)
    missed = post("Missed, and read elsewhere")
    mark_read(viewer_id=subscriber.pk, ids=[known.pk, missed.pk])

    with Client(live_web, subscriber) as client:
        assert client.resume(page.epoch, page.positions)["unread"] == 0
        assert client.titles(1) == ["Missed, and read elsewhere"]
        told = client.next("read")

    assert (sorted(told["ids"]), told["unread"]) == ([known.pk, missed.pk], 0)


def test_what_one_tab_says_of_a_card_is_told_to_the_other_at_once(live_web: LiveServer, subscriber: User) -> None:
    number = str(post("A card").pk)
    with Client(live_web, subscriber) as one, Client(live_web, subscriber) as other:
        for tab in (one, other):
            tab.resume()
        for act, state, unread in (("read", "read", 0), ("unread", "unread", 1), ("dismiss", "dismissed", 0)):
            one.send(type=act, ids=[int(number)])
            for tab in (one, other):
                told = tab.next("read")
                assert (told["states"][state], told["unread"]) == ({number: 1}, unread)
        one.send(type="dismiss", ids=[int(number)])
        assert one.next("read")["states"]["dismissed"] == {}  # again: only the count

        one.send(type="restore", ids=[int(number)])

        for tab in (one, other):
            assert tab.next("reset")["reason"] == "entitlement"


def test_a_read_of_nothing_answers_the_count(live_web: LiveServer, subscriber: User) -> None:
    post("Unread")
    with Client(live_web, subscriber) as client:
        client.resume()
        client.send(type="read", ids=[])

        nothing: dict[str, dict[str, int]] = {"read": {}, "unread": {}, "dismissed": {}}
        assert client.next("read") == {"type": "read", "ids": [], "states": nothing, "positions": {}, "unread": 1}


def test_reading_up_to_a_position_clears_the_count(live_web: LiveServer, subscriber: User) -> None:
    post("Unread")
    with Client(live_web, subscriber) as client:
        client.resume()
        client.send(type="read", positions={MOVIES: 10**15})

        told = client.next("read")
        assert (told["ids"], told["positions"], told["unread"]) == ([], {MOVIES: 1}, 0)


def test_subscribing_resets_open_connections_and_the_new_topic_is_live_after_that(
    live_web: LiveServer, subscriber: User
) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        subscribe(viewer_id=subscriber.pk, topic="category:sports")

        assert client.next("reset") == {"type": "reset", "reason": "entitlement"}

        page = inbox(viewer_id=subscriber.pk)
        client.resume(page.epoch, page.positions)
        push(post("Match", "category:sports"))
        assert client.titles(1) == ["Match"]


def test_after_unsubscribing_an_open_connection_gets_no_more(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        unsubscribe(viewer_id=subscriber.pk, topic=MOVIES)
        client.next("reset")
        client.resume()
        push(post("Too late"))

        assert client.hears_nothing()


def test_without_a_membership_nothing_comes_and_the_connection_lives(live_web: LiveServer, subscriber: User) -> None:
    Membership.objects.filter(user=subscriber).delete()
    with Client(live_web, subscriber) as client:
        client.resume()
        push(post("For members"))

        assert client.hears_nothing()
        client.send(type="read", ids=[])
        assert client.next("read")["unread"] == 0


@pytest.mark.usefixtures("_standing_hints_lost")
def test_a_membership_that_ends_while_connected_ends_the_flow_at_that_posting(
    live_web: LiveServer, subscriber: User
) -> None:
    Membership.objects.filter(user=subscriber).delete()
    with Client(live_web, subscriber) as client:
        start_membership(user=subscriber)
        client.resume()
        push(post("Paid"))
        assert client.titles(1) == ["Paid"]

        end_membership(user=subscriber)
        assert client.next("reset", within=3)["reason"] == "entitlement"
        page = inbox(viewer_id=subscriber.pk)
        client.resume(page.epoch, page.positions)
        push(post("Unpaid"))
        assert client.hears_nothing()

        start_membership(user=subscriber)
        assert client.next("reset", within=3)["reason"] == "entitlement"
        page = inbox(viewer_id=subscriber.pk)
        client.resume(page.epoch, page.positions)
        push(post("Paid again"))
        assert client.titles(1) == ["Paid again"]


def test_a_period_that_runs_out_is_noticed_without_anybody_saying_so(live_web: LiveServer, subscriber: User) -> None:
    soon = database_now() + timedelta(seconds=1)
    Membership.objects.filter(user=subscriber).update(ends_at=soon)
    with Client(live_web, subscriber) as client:
        client.resume()
        while database_now() < soon:
            time.sleep(0.05)
        push(post("After the end"))

        assert client.next("reset", within=3.5)["reason"] == "entitlement"


def test_a_profile_that_becomes_a_childs_is_filtered_at_once(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        update_profile(user=subscriber, is_kids=True)
        client.next("reset", within=3)
        client.resume()
        push(post("Wolves", maturity=12))
        push(post("Bears", maturity=0))

        assert client.titles(1) == ["Bears"]


def test_what_expired_before_it_could_be_pushed_is_not_pushed(live_web: LiveServer, subscriber: User) -> None:
    with Client(live_web, subscriber) as client:
        client.resume()
        push(post("Over", expires_at=LONG_AGO))
        push(post("Current"))

        assert client.titles(1) == ["Current"]
