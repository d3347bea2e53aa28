"""Deliveries to real receivers: made once, kept apart by host, in order of their lanes, sent by one sender each."""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership, User
from broker.models import OutboxMessage
from notifications import sql
from notifications.clock import clock
from notifications.commands import mute, subscribe, unsubscribe
from notifications.given_topics import PLATFORM, own_topic
from notifications.models import Notification
from notifications.outbound import claims, creation, endpoints, housekeeping, sender
from notifications.outbound.models import Circuit, Delivery, Endpoint, Lane
from notifications.outbound.outcomes import SENT, Outcome
from notifications.outbound.parcels import DeliveryKey
from notifications.outbound.queries import is_anything_due
from notifications.outbound.tasks import drain_alone
from notifications.outbound.webhook.channel import WebhookChannel
from tests.support.live_client import eventually
from tests.support.outbound_sinks import WebSink

from .notifications_support import MOVIES, a_viewer, post
from .outbound_support import again, deliver, follower, hook, make, only

pytestmark = pytest.mark.usefixtures("transactional_db", "_quick_attempts")


def test_each_endpoint_of_those_who_are_told_gets_one_delivery_however_often_they_are_made(sink: WebSink) -> None:
    told, lapsed, child = follower(), follower(member=False), follower(is_kids=True)
    stranger, inactive = a_viewer(), follower()
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    for user in (told, lapsed, child, stranger, inactive):
        hook(sink, user=user)
    off = hook(sink, "/off", user=told)
    endpoints.switch(viewer_id=told.pk, endpoint_id=off.pk, on=False)
    endpoints.set_mail(viewer_id=told.pk, on=True)
    subscribe(viewer_id=told.pk, topic="category:sports")

    notification = post("Low Tide", MOVIES, "category:sports", maturity=16)

    assert [make(notification), make(notification)] == [2, 0]
    rows = Delivery.objects.order_by("channel").values_list("viewer_id", "channel", "lane")
    assert list(rows) == [(told.pk, "mail", Lane.RELEASE), (told.pk, "webhook", Lane.RELEASE)]


@pytest.mark.parametrize("are_many", [True, False], ids=["many-follow", "few-follow"])
@pytest.mark.parametrize(
    "topics_for",
    [
        lambda _viewer: [MOVIES],
        lambda _viewer: [MOVIES, PLATFORM],
        lambda _viewer: [PLATFORM],
        lambda viewer: [own_topic(viewer.pk)],
    ],
    ids=["movies", "movies-and-platform", "platform", "own"],
)
def test_a_shard_is_made_for_just_those_whom_the_rule_for_one_would_tell(
    topics_for: Callable[[User], list[str]], are_many: bool, sink: WebSink
) -> None:
    users = [follower(), follower(member=False), follower(is_kids=True), a_viewer(), *(follower() for _ in range(4))]
    *_, twice, inactive, muting, former = users
    Membership.objects.create(user=twice, starts_at=datetime.now(UTC) - timedelta(days=1))
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    mute(viewer_id=muting.pk, topic=MOVIES, until=datetime.now(UTC) + timedelta(days=1))
    unsubscribe(viewer_id=former.pk, topic=MOVIES)
    for user in users:
        hook(sink, user=user)

    # When a shard's deliveries are made, and each endpoint is asked whether one that was put off is still to leave
    notification = post("Low Tide", *topics_for(users[0]), maturity=16)
    make(notification, viewers=(users[0].pk, users[-1].pk + 1) if are_many else (0, creation.END))
    told = {row.endpoint_id for row in Delivery.objects.all()}
    keys = [DeliveryKey(notification.pk, row.viewer_id, row.channel, row.pk) for row in Endpoint.objects.all()]
    put_off = [Delivery(**key._asdict(), lane=Lane.RELEASE) for key in keys]
    Delivery.objects.bulk_create(put_off, ignore_conflicts=True)
    Delivery.objects.update(waits=True)
    stale = {key.endpoint_id for key in claims._stale(keys)}

    assert told
    assert told == {key.endpoint_id for key in keys} - stale


@pytest.mark.parametrize(("width", "how"), [(10, creation._READ_ALL_VIEWERS), (11, creation._LOOK_UP_EACH_FOLLOWER)])
def test_all_viewers_of_a_shard_are_read_where_every_tenth_follows(sink: WebSink, width: int, how: str) -> None:
    user = follower()
    hook(sink, user=user)
    notification = post("Low Tide")

    with CaptureQueriesContext(connection) as asked:
        assert make(notification, viewers=(user.pk, user.pk + width)) == 1

    assert [query["sql"] for query in asked if "enable_nestloop" in query["sql"]] == [how]


@pytest.mark.parametrize("lane", Lane)
def test_a_sender_is_begun_where_there_is_something_that_it_would_claim(
    lane: Lane, sink: WebSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(sink)
    make(post("Low Tide"))
    later = datetime.now(UTC) + timedelta(minutes=1)

    for state, due, is_due in (
        (Delivery.State.OPEN, Now(), True),
        (Delivery.State.OPEN, later, False),
        (Delivery.State.SENT, Now(), False),
    ):
        Delivery.objects.update(lane=lane, state=state, next_attempt_at=due)
        assert is_anything_due() is is_due

    with monkeypatch.context() as patch:
        patch.setattr(sender, "drain", lambda: pytest.fail("a sender was begun"))
        assert drain_alone() == 0
    Delivery.objects.update(state=Delivery.State.OPEN)
    assert drain_alone() == 1


def test_of_two_that_make_the_same_at_once_one_fails_and_finds_all_there_when_it_is_tried_again(sink: WebSink) -> None:
    hook(sink)
    notification = post("Low Tide")
    failed: list[IntegrityError] = []

    def make_too() -> None:
        with pytest.raises(IntegrityError) as error:
            make(notification)
        failed.append(error.value)
        connection.close()

    with transaction.atomic():
        assert make(notification) == 1
        second = threading.Thread(target=make_too)
        second.start()
        eventually(somebody_waits_for_a_lock)
    second.join(30)

    assert len(failed) == 1
    assert make(notification) == 0
    assert Delivery.objects.count() == 1


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


def test_kinds_that_were_not_chosen_and_what_was_recalled_are_not_delivered(sink: WebSink) -> None:
    user = a_viewer()
    subscribe(viewer_id=user.pk, topic=MOVIES, kinds=["live_event"])
    hook(sink, user=user)

    assert make(post("Premiere")) == 0
    assert make(post("Recalled", kind="live_event", recalled=True)) == 0
    assert make(post("Live", kind="live_event")) == 1


def test_a_large_audience_is_made_in_shards_that_leave_nobody_out(
    sink: WebSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "SHARD", 2)
    for _ in range(5):
        hook(sink)
    notification = post("Low Tide")

    assert creation.plan(notification_id=notification.pk) == 3
    wanted = OutboxMessage.objects.filter(type="deliveries.wanted").order_by("id")
    made = [creation.create(**message.body["data"]) for message in wanted]
    assert made == [2, 2, 1]
    assert {message.routing_key for message in wanted} == {"deliveries.wanted.normal"}


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_shards_of_several_topics_leave_nobody_out_and_tell_nobody_twice(
    sink: WebSink, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(creation, "SHARD", size)
    users = [follower() for _ in range(6)]
    for user in users:
        hook(sink, user=user)
    for user in users[::2]:
        subscribe(viewer_id=user.pk, topic="title:low-tide")
    for _ in range(3):  # more interests of one viewer than fit into a shard
        unsubscribe(viewer_id=users[1].pk, topic=MOVIES)
        subscribe(viewer_id=users[1].pk, topic=MOVIES)
    unsubscribe(viewer_id=users[0].pk, topic=MOVIES)
    notification = post("Low Tide", MOVIES, "title:low-tide")

    creation.plan(notification_id=notification.pk)
    wanted = [message.body["data"] for message in OutboxMessage.objects.filter(type="deliveries.wanted").order_by("id")]
    made = [creation.create(**each) for each in wanted]

    assert [each["first"] for each in wanted[1:]] == [each["last"] for each in wanted[:-1]]
    assert sum(made) == len(users) == Delivery.objects.values("viewer_id").distinct().count()
    assert max(made) <= 2 * size


def test_shards_are_found_along_the_index_whatever_the_planner_thinks_of_a_topic() -> None:
    follower()
    asked = {"notification": post("Low Tide").pk, "size": creation.SHARD}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(creation._ALONG_THE_INDEX)
        cursor.execute("EXPLAIN " + sql.load("shards"), asked)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert plan.count("using subscription_to_topic on notifications_subscription") == 3  # lowest, highest, next
    assert "Scan on notifications_subscription" not in plan


def test_a_bug_of_our_own_is_tried_again_and_not_held_against_the_host(
    sink: WebSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumble(*_: object) -> Outcome:
        raise RuntimeError("a bug")

    user = follower()
    for number in range(2 * claims.FAILURES_TO_OPEN):
        hook(sink, f"/ok/{number}", user=user)
    with monkeypatch.context() as patch:
        patch.setattr(WebhookChannel, "send", stumble)
        deliver()
    assert set(Delivery.objects.values_list("state", "last_error")) == {("open", "RuntimeError: a bug")}
    assert not Circuit.objects.exists()

    again()

    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}


def test_an_open_circuit_keeps_back_what_goes_there_and_lets_one_probe_through(sink: WebSink) -> None:
    user = follower()
    for n in range(8):
        hook(sink, f"/500/{n}", user=user)
    hook(sink, "/ok", host="localhost", user=user)
    deliver()
    circuit = Circuit.objects.get()
    assert circuit.retry_at is not None
    assert sum(hit.path == "/ok" for hit in sink.hits) == 1

    # While it is open, nothing goes there, and nothing counts as an attempt
    before = len(sink.hits)
    Delivery.objects.filter(state="open").update(next_attempt_at=Now())
    sender.drain()
    assert len(sink.hits) == before
    assert set(Delivery.objects.filter(state="open").values_list("attempts", flat=True)) == {1}

    # When its time has come, one is tried
    Circuit.objects.update(retry_at=Now())
    Delivery.objects.filter(state="open").update(next_attempt_at=Now())
    sender.drain()
    assert len(sink.hits) == before + 1

    # And when that one is taken, the others follow
    for endpoint in Endpoint.objects.filter(address__contains="/500/"):
        Endpoint.objects.filter(pk=endpoint.pk).update(address=endpoint.address.replace("/500/", "/ok/"))
    Circuit.objects.update(retry_at=Now())
    Delivery.objects.filter(state="open").update(next_attempt_at=Now())
    sender.drain()
    assert not Circuit.objects.exists()
    Delivery.objects.filter(state="open").update(next_attempt_at=Now())
    sender.drain()
    assert not Delivery.objects.filter(state="open").exists()


def test_what_is_made_while_a_circuit_is_open_is_due_when_its_host_is_tried_again(sink: WebSink) -> None:
    user = follower()
    shut, working = hook(sink, user=user), hook(sink, host="localhost", user=user)
    tried_again = datetime.now(UTC) + timedelta(minutes=5)
    Circuit.objects.create(host=shut.host, failures=5, retry_at=tried_again)

    make(post("Low Tide"))

    due = dict(Delivery.objects.values_list("endpoint_id", "next_attempt_at"))
    assert tried_again <= due[shut.pk] < tried_again + timedelta(seconds=1)
    assert due[working.pk] < tried_again


def test_live_alerts_go_before_releases_and_these_before_recommendations(
    sink: WebSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "PER_HOST", 1)
    hook(sink)
    for lane in (Lane.DIGEST, Lane.RELEASE, Lane.LIVE):
        make(post(lane.name), lane=lane)
    sender.drain()

    assert [json.loads(hit.body)["data"]["title"] for hit in sink.hits] == ["LIVE", "RELEASE", "DIGEST"]


def test_whoever_lost_the_lease_settles_nothing(sink: WebSink) -> None:
    hook(sink)
    make(post("Low Tide"))
    take: dict[str, Any] = {"lane": Lane.RELEASE, "limit": 10, "per_host": 10, "held": {}}
    (stopped,) = claims.claim(**take).parcels
    assert claims.claim(**take).parcels == []
    Delivery.objects.update(next_attempt_at=Now())
    (current,) = claims.claim(**take).parcels

    claims.settle([(stopped, SENT)])
    assert (only().state, only().attempts) == ("open", 2)
    claims.settle([(current, SENT)])
    assert only().state == "sent"


def test_two_senders_at_once_send_each_delivery_once(sink: WebSink) -> None:
    user = follower()
    for n in range(8):
        hook(sink, f"/ok/{n}", user=user)
    for n in range(10):
        make(post(f"Number {n}"))
    threads = [threading.Thread(target=sender.drain) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(sink.keys()) == 80
    assert set(sink.keys().values()) == {1}


def test_what_was_recalled_has_expired_or_lost_its_endpoint_is_not_sent(sink: WebSink) -> None:
    hook(sink)
    for title in ("Recalled", "Expired", "Removed"):
        make(post(title))
    Notification.objects.filter(title="Recalled").update(recalled=True)
    Notification.objects.filter(title="Expired").update(expires_at=Now())
    Delivery.objects.filter(notification_id=Notification.objects.get(title="Removed").pk).update(endpoint_id=0)
    sender.drain()

    assert sink.hits == []
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["cancelled", "cancelled", "expired"]


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_senders_clock_that_is_wrong_neither_ends_nor_prolongs_anything(
    sink: WebSink, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    hook(sink)
    for title in ("In time", "Too late"):
        make(post(title))
    Notification.objects.filter(title="In time").update(expires_at=Now() + timedelta(minutes=30))
    Notification.objects.filter(title="Too late").update(expires_at=Now())
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + seconds)
    clock.set(time.time())  # as if the sender had just begun
    sender.drain()

    (hit,) = sink.hits
    assert json.loads(hit.body)["data"]["title"] == "In time"
    assert abs(int(hit.headers["webhook-timestamp"]) - right()) < 60  # receivers refuse what is five minutes off
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["expired", "sent"]


def test_a_hanging_host_does_not_hold_up_another(sink: WebSink, settings: LazySettings) -> None:
    settings.OUTBOUND_SECONDS = 3.0
    user = follower()
    hook(sink, "/hang", host="localhost", user=user)
    hook(sink, "/ok", user=user)
    for n in range(20):
        make(post(f"Number {n}"))
    started = time.time()
    sender.drain()

    times = [hit.at - started for hit in sink.hits if hit.path == "/ok"]
    assert len(times) == 20
    assert max(times) < 2.5
    assert [circuit.host for circuit in Circuit.objects.filter(retry_at__gt=Now())] == [f"localhost:{sink.port}"]


def test_deliveries_that_ended_long_ago_are_forgotten(sink: WebSink) -> None:
    hook(sink)
    deliver()
    make(post("Open"))
    Delivery.objects.filter(state="sent").update(finished_at=datetime.now(UTC) - timedelta(days=31))

    assert housekeeping.prune() == 1
    assert only().state == "open"
