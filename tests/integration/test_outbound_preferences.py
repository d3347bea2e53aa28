"""What a viewer prefers decides which deliveries are made, when they leave, and whether they leave at all."""

import threading
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.commands import create_api_token
from accounts.models import User, ViewerProfile
from broker import replay
from broker.models import DeadLetter
from notifications.commands import subscribe
from notifications.models import Kind, Notification
from notifications.outbound import claims, creation, digests, sender
from notifications.outbound.models import Channel, Delivery, Digest, Endpoint, Lane, Preference
from notifications.outbound.outcomes import Verdict, ended
from notifications.outbound.preferences import InvalidPreferences, Preferences, preferences_of, save_preferences
from notifications.read_commands import mark_read
from tests.support.outbound_sinks import MailSink

from .notifications_support import MOVIES, a_viewer, post
from .outbound_support import make

pytestmark = pytest.mark.usefixtures("transactional_db")

DAY = timedelta(days=1)


def follower(*channels: str, zone: str = "UTC", **preferences: Any) -> User:
    """A viewer who follows Movies, with an endpoint on each of the channels (all by default)."""
    user = a_viewer()
    subscribe(viewer_id=user.pk, topic=MOVIES)
    ViewerProfile.objects.filter(pk=user.pk).update(time_zone=zone)
    for channel in channels or Channel.values:
        address = "" if channel == Channel.MAIL else f"https://example.org/{channel}"
        Endpoint.objects.create(viewer=user, channel=channel, address=address, host=channel)
    if preferences:
        prefer(user, **preferences)
    return user


def prefer(user: User, **preferences: Any) -> None:
    save_preferences(viewer_id=user.pk, preferences=Preferences(**preferences))


def made(title: str = "Low Tide", *topics: str, lane: int = Lane.RELEASE, **card: Any) -> dict[str, Delivery]:
    """Post, make the deliveries, and give them by channel."""
    notification = post(title, *topics, **card)
    make(notification, lane)
    return {row.channel: row for row in Delivery.objects.filter(notification_id=notification.pk)}


def channels(title: str = "Low Tide", *topics: str, **card: Any) -> set[str]:
    return set(made(title, *topics, **card))


def due_now() -> None:
    Delivery.objects.filter(finished_at__isnull=True).update(next_attempt_at=Now())


# --- Kinds by channels, and topics ----------------------------------------------------------------------------------
def test_whoever_never_chose_is_told_everything_at_once_everywhere() -> None:
    user = follower()

    for row in made().values():
        assert (row.state, row.lane, row.waits, row.unless_seen, row.capped_on) == ("open", 2, False, False, None)
        assert row.next_attempt_at <= datetime.now(UTC)
    assert Delivery.objects.count() == 3
    assert preferences_of(viewer_id=user.pk) == Preferences()


def test_the_matrix_says_which_kinds_go_where() -> None:
    follower(off=frozenset({(Kind.PREMIERE, Channel.MAIL), (Kind.EPISODE, Channel.WEBHOOK)}))

    assert channels(kind="premiere") == {"web_push", "webhook"}
    assert channels(kind="episode") == {"mail", "web_push"}
    assert channels(kind="reminder") == {"mail", "web_push", "webhook"}


def test_a_topic_may_have_channels_of_its_own_and_the_closest_one_counts() -> None:
    topics = {MOVIES: ("mail",), "title:low-tide": ("webhook",), "title:silent": ()}
    follower(off=frozenset({(Kind.PREMIERE, Channel.MAIL)}))
    post("Known", "title:low-tide", "title:silent")
    user = User.objects.get()
    prefer(user, off=frozenset({(Kind.PREMIERE, Channel.MAIL)}), topics=topics)

    assert channels("By its category", MOVIES) == {"mail"}
    assert channels("By its title, which is not even followed", MOVIES, "title:low-tide") == {"webhook"}
    assert channels("By its title: nowhere but on the site", MOVIES, "title:silent") == set()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"off": frozenset({("gossip", "mail")})}, "kinds"),
        ({"topics": {"title:nobody-knows": ("mail",)}}, "topics"),
        ({"topics": {MOVIES: ("pigeon",)}}, "topics"),
        ({"quiet_hours": (time(7), time(7))}, "quiet_hours"),
        ({"caps": {"mail": 0}}, "caps"),
        ({"caps": {"pigeon": 1}}, "caps"),
        ({"escalate_after": 0}, "escalate_after"),
    ],
)
def test_preferences_that_cannot_be_are_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    user = a_viewer()

    with pytest.raises(InvalidPreferences, match=named):
        prefer(user, **wrong)
    assert not Preference.objects.exists()


# --- Quiet hours ----------------------------------------------------------------------------------------------------
QUIET: dict[str, Any] = {"quiet_hours": (time(22), time(7))}


def after_quiet(moment: datetime, zone: str, start: time, end: time) -> datetime:
    """What the statement's own fragment makes of a moment."""
    from notifications import sql  # noqa: PLC0415 - only here

    asked = "(SELECT %s::timestamptz AS moment, %s::timestamptz AT TIME ZONE %s AS wall, %s AS zone)"
    chosen = "(SELECT %s::time AS quiet_from, %s::time AS quiet_until)"
    fragment = sql._fragment(sql._INCLUDE.fullmatch("/* after_quiet(a, pref) */"))  # type: ignore[arg-type]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {fragment} FROM {asked} a, {chosen} pref", [moment, moment, zone, zone, str(start), str(end)]
        )
        found: datetime = cursor.fetchone()[0]
    return found


@pytest.mark.parametrize(
    ("local", "zone", "span", "leaves"),
    [
        # Over midnight, within a day, outside, at the edges
        ("2026-06-01T23:30", "Europe/Berlin", "22-7", "2026-06-02T07:00"),
        ("2026-06-02T06:59", "Europe/Berlin", "22-7", "2026-06-02T07:00"),
        ("2026-06-02T07:00", "Europe/Berlin", "22-7", "2026-06-02T07:00"),
        ("2026-06-02T22:00", "Asia/Kolkata", "22-7", "2026-06-03T07:00"),
        ("2026-06-02T13:00", "Asia/Kathmandu", "12-14", "2026-06-02T14:00"),
        ("2026-06-02T14:00", "Asia/Kathmandu", "12-14", "2026-06-02T14:00"),
        # The night in which clocks go forward is an hour shorter, the one in which they go back an hour longer
        ("2026-03-28T23:00", "Europe/Berlin", "22-7", "2026-03-29T07:00"),
        ("2026-10-24T23:00", "Europe/Berlin", "22-7", "2026-10-25T07:00"),
        ("2026-03-07T23:00", "America/New_York", "22-7", "2026-03-08T07:00"),
        ("2026-10-03T23:00", "Australia/Lord_Howe", "22-7", "2026-10-04T07:00"),  # by half an hour
        # An end that the clocks skip comes after the skip; of two, it is the second
        ("2026-03-29T01:30", "Europe/Berlin", "1-2:30", "2026-03-29T03:30"),
        ("2026-10-25T01:30", "Europe/Berlin", "1-2:30", "2026-10-25T02:30+01:00"),
        # A day that Samoa never had
        ("2011-12-29T23:00", "Pacific/Apia", "22-7", "2011-12-31T07:00"),
    ],
)
def test_quiet_hours_end_by_the_clocks_on_the_viewers_wall(local: str, zone: str, span: str, leaves: str) -> None:
    def on_wall(text: str) -> datetime:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))

    start, end = (
        time.fromisoformat(part.rjust(2, "0") if ":" not in part else part.rjust(5, "0")) for part in span.split("-")
    )
    assert after_quiet(on_wall(local), zone, start, end) == on_wall(leaves)


def quiet_around_now(zone: str = "UTC", hours: float = 2) -> dict[str, Any]:
    """Quiet hours that began some hours ago, and end in as many."""
    now, span = datetime.now(ZoneInfo(zone)), timedelta(hours=hours)
    return {"quiet_hours": ((now - span).time(), (now + span).time())}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "Pacific/Auckland", "America/St_Johns"])
def test_what_comes_in_quiet_hours_waits_for_their_end_and_is_not_lost(zone: str, mails: MailSink) -> None:
    follower("mail", zone=zone, **quiet_around_now(zone))
    row = made()["mail"]

    wait = row.next_attempt_at - datetime.now(UTC)
    assert timedelta(hours=1.9) < wait <= timedelta(hours=2)
    assert (row.state, row.waits) == ("open", True)
    sender.drain()
    assert mails.mails == []
    due_now()
    sender.drain()
    assert Delivery.objects.get().state == "sent"


def test_a_zone_that_the_database_does_not_know_is_read_as_utc_and_stops_nobody() -> None:
    follower("mail", zone="Mars/Olympus", **quiet_around_now("UTC"))
    follower("mail")

    made()
    assert sorted(Delivery.objects.values_list("waits", flat=True)) == [False, True]


def test_a_live_alert_expires_instead_of_waiting_past_its_use() -> None:
    follower("mail", **quiet_around_now())
    soon, later = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) + timedelta(hours=9)

    over = made(kind="live_event", lane=Lane.LIVE, expires_at=soon)["mail"]
    assert (over.state, over.last_error[:10]) == ("expired", "It is over")
    assert over.finished_at is not None
    assert made(kind="live_event", lane=Lane.LIVE)["mail"].state == "expired"  # of use now alone
    still = made(kind="live_event", lane=Lane.LIVE, expires_at=later)["mail"]
    assert (still.state, still.lane) == ("open", Lane.LIVE)


def test_what_is_not_wanted_any_more_when_quiet_hours_end_is_cancelled(mails: MailSink) -> None:
    user = follower("mail", **quiet_around_now())
    made()
    prefer(user, off=frozenset({(Kind.PREMIERE, Channel.MAIL)}))
    due_now()
    sender.drain()

    assert mails.mails == []
    assert (Delivery.objects.get().state, Delivery.objects.get().last_error) == (
        "cancelled", "Its viewer does not want it any more."
    )  # fmt: skip


# --- Escalation -----------------------------------------------------------------------------------------------------
def test_first_the_site_then_the_browsers_then_mail_while_a_program_hears_at_once() -> None:
    follower(escalate_after=10)
    rows = made()

    minutes = {name: (row.next_attempt_at - row.created_at) / timedelta(minutes=1) for name, row in rows.items()}
    assert minutes == {"webhook": 0, "web_push": 10, "mail": 20}
    assert {name for name, row in rows.items() if row.unless_seen} == {"web_push", "mail"}


def test_without_a_browser_mail_is_the_first_step() -> None:
    user = follower("mail", escalate_after=10)
    Endpoint.objects.create(viewer=user, channel="web_push", address="https://x", host="x", disabled_at=Now())

    row = made()["mail"]
    assert row.next_attempt_at - row.created_at == timedelta(minutes=10)


@pytest.mark.parametrize("how", ["item", "mark"])
def test_what_was_read_on_the_site_escalates_no_further(how: str, mails: MailSink) -> None:
    user = follower("mail", escalate_after=10)
    notification = post("Low Tide")
    make(notification)
    if how == "item":
        mark_read(viewer_id=user.pk, ids=[notification.pk])
    else:
        mark_read(viewer_id=user.pk, positions={MOVIES: 1})
    due_now()
    sender.drain()

    assert mails.mails == []
    assert (Delivery.objects.get().state, Delivery.objects.get().last_error) == (
        "cancelled", "It was read on the site."
    )  # fmt: skip


def test_what_was_not_read_or_changed_after_it_was_escalates(mails: MailSink) -> None:
    user = follower("mail", escalate_after=10)
    read = post("Read, then changed", subject="release:r")
    make(read)
    mark_read(viewer_id=user.pk, ids=[read.pk])
    post("Changed", subject="release:r", version=2)
    made("Never read")
    due_now()
    sender.drain()

    assert sorted(str(mail["Subject"]) for mail in mails.mails) == ["Changed", "Never read"]


# --- Digests --------------------------------------------------------------------------------------------------------
def test_several_notifications_become_one_mail_and_each_is_counted(mails: MailSink) -> None:
    user = follower("mail", digest=Digest.DAILY)
    other = follower("mail", digest=Digest.HOURLY)
    ids = [post(f"Number {n}") for n in range(3)]
    for notification in ids:
        make(notification)
    assert set(Delivery.objects.values_list("state", "lane")) == {("held", Lane.DIGEST)}
    assert digests.assemble() == 0  # not due
    due_now()

    assert digests.assemble() == 6
    assert sorted(Delivery.objects.filter(viewer_id=user.pk).values_list("state", flat=True)) == [
        "bundled", "bundled", "open"
    ]  # fmt: skip
    sender.drain()

    assert sorted(mail["To"] for mail in mails.mails) == sorted([user.email, other.email])
    mail = mails.mails[0]
    assert mail["Subject"] == "Number 2, and 2 more"
    assert mail["Message-ID"].startswith(f"<digest-n{ids[0].pk}-e")
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert [word in text.get_content() and word in html.get_content() for word in ("Number 0", "Number 1")] == [
        True
    ] * 2
    assert "List-Unsubscribe" in mail
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
    assert Delivery.objects.filter(finished_at__isnull=False).count() == 6


def test_a_digest_has_its_hour_on_the_viewers_wall_and_live_alerts_do_not_wait_for_it() -> None:
    zone = "America/St_Johns"
    follower("mail", zone=zone, digest=Digest.DAILY, digest_at=time(18, 30))
    row = made()["mail"]

    wall = row.next_attempt_at.astimezone(ZoneInfo(zone))
    assert (wall.hour, wall.minute) == (18, 30)
    assert timedelta(0) < row.next_attempt_at - row.created_at <= DAY + timedelta(hours=1)
    live = made(kind="live_event", lane=Lane.LIVE, expires_at=datetime.now(UTC) + DAY)["mail"]
    assert (live.state, live.waits) == ("open", False)


def test_an_hourly_digest_inside_quiet_hours_comes_when_they_end() -> None:
    follower("mail", digest=Digest.HOURLY, **quiet_around_now(hours=3))
    row = made()["mail"]

    assert row.state == "held"
    assert timedelta(hours=2.9) < row.next_attempt_at - row.created_at <= timedelta(hours=3)


def test_a_digest_leaves_out_what_was_read_taken_back_or_is_over(mails: MailSink) -> None:
    user = follower("mail", digest=Digest.DAILY)
    kept, read, recalled, over, late = (post(title) for title in ("Kept", "Read", "Recalled", "Over", "Late"))
    for notification in (kept, read, recalled, over, late):
        make(notification)
    mark_read(viewer_id=user.pk, ids=[read.pk])
    Notification.objects.filter(pk=recalled.pk).update(recalled=True)
    Notification.objects.filter(pk=over.pk).update(expires_at=Now())
    due_now()
    digests.assemble()
    Notification.objects.filter(pk=late.pk).update(recalled=True)  # after the mail was put together
    sender.drain()

    assert [str(mail["Subject"]) for mail in mails.mails] == ["Kept"]
    states = dict(Delivery.objects.values_list("notification_id", "state"))
    assert states == {kept.pk: "sent"} | dict.fromkeys((read.pk, recalled.pk, over.pk, late.pk), "cancelled")


def test_a_digest_of_one_is_an_ordinary_mail(mails: MailSink) -> None:
    follower("mail", digest=Digest.DAILY)
    notification = post("Low Tide")
    make(notification)
    due_now()
    digests.assemble()
    sender.drain()

    assert str(mails.mails[0]["Subject"]) == "Low Tide"
    assert mails.mails[0]["Message-ID"].startswith(f"<n{notification.pk}-e")


def test_two_workers_at_once_assemble_each_digest_once_and_whole(
    mails: MailSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "AT_ONCE", 3)
    for _ in range(6):
        follower("mail", digest=Digest.DAILY)
    for n in range(4):
        make(post(f"Number {n}"))
    due_now()

    def work() -> None:
        for _ in range(5):
            digests.assemble()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    digests.assemble()

    assert Delivery.objects.filter(state="open").count() == 6
    assert {len(row.bundle or ()) for row in Delivery.objects.filter(state="open")} == {4}
    sender.drain()
    assert len(mails.mails) == 6


def test_a_digest_whose_sender_died_goes_out_again_with_the_same_content_under_the_same_key(mails: MailSink) -> None:
    follower("mail", digest=Digest.DAILY)
    for n in range(3):
        make(post(f"Number {n}"))
    due_now()
    digests.assemble()
    (parcel,) = claims.claim(lane=Lane.DIGEST, limit=10, per_host=10, held={}).parcels  # and dies
    make(post("Too late for this one"))
    due_now()
    sender.drain()

    assert parcel.idempotency_key in str(mails.mails[0]["Message-ID"])
    assert str(mails.mails[0]["Subject"]) == "Number 2, and 2 more"
    claims.settle([(parcel, ended(Verdict.GONE))])  # whoever lost the lease settles nothing
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["held", "sent", "sent", "sent"]


def test_a_digest_that_failed_for_good_is_one_dead_letter_that_a_replay_sends(mails: MailSink) -> None:
    follower("mail", digest=Digest.DAILY)
    for n in range(3):
        make(post(f"Number {n}"))
    due_now()
    digests.assemble()
    (parcel,) = claims.claim(lane=Lane.DIGEST, limit=10, per_host=10, held={}).parcels
    claims.settle([(parcel, ended(Verdict.REFUSED, "no"))])
    assert set(Delivery.objects.values_list("state", flat=True)) == {"dead"}

    replay.replay(dead_letter_id=DeadLetter.objects.get().pk, actor="test")
    sender.drain()

    assert str(mails.mails[0]["Subject"]) == "Number 2, and 2 more"
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}


# --- The cap --------------------------------------------------------------------------------------------------------
def test_mail_over_the_cap_joins_the_next_daily_digest_and_pushes_are_suppressed_with_the_reason() -> None:
    follower("mail", "web_push", caps={"mail": 2, "web_push": 1})
    rounds = [made(f"Number {n}") for n in range(4)]

    assert [rows["mail"].state for rows in rounds] == ["open", "open", "held", "held"]
    assert [rows["web_push"].state for rows in rounds] == ["open", "suppressed", "suppressed", "suppressed"]
    assert rounds[1]["web_push"].last_error == "The viewer wants no more than 1 a day here."
    assert rounds[1]["web_push"].finished_at is not None
    live = made(kind="live_event", lane=Lane.LIVE, expires_at=datetime.now(UTC) + DAY)
    assert (live["mail"].state, live["web_push"].state) == ("suppressed", "suppressed")


def test_the_cap_counts_notifications_of_the_viewers_day_and_not_what_never_left() -> None:
    user = follower("web_push", zone="Pacific/Kiritimati", caps={"web_push": 1})
    Endpoint.objects.create(viewer=user, channel="web_push", address="https://two.example", host="two")
    make(post("On both browsers"))
    assert set(Delivery.objects.values_list("state", flat=True)) == {"open"}
    today = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
    assert set(Delivery.objects.values_list("capped_on", flat=True)) == {today}

    Delivery.objects.update(capped_on=today - DAY)  # yesterday's
    assert made("Next day")["web_push"].state == "open"
    Delivery.objects.update(state="cancelled")
    assert made("Instead of what was cancelled")["web_push"].state == "open"
    assert made("One too many")["web_push"].state == "suppressed"


def test_two_notifications_made_at_once_do_not_share_the_last_place_under_a_cap() -> None:
    follower("web_push", caps={"web_push": 3})
    notifications = [post(f"Number {n}") for n in range(8)]

    def work(mine: list[Notification]) -> None:
        for notification in mine:
            make(notification)
        connection.close()

    threads = [threading.Thread(target=work, args=(notifications[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert Delivery.objects.filter(state="open").count() == 3
    assert Delivery.objects.filter(state="suppressed").count() == 5


def test_making_deliveries_takes_as_many_queries_for_many_viewers_with_preferences_as_for_one() -> None:
    def queries_for(audience: int) -> int:
        for n in range(audience):
            follower(caps={"mail": 1}, escalate_after=5, digest=Digest.DAILY if n % 2 else Digest.NEVER, **QUIET)
        notification = post("Low Tide")
        with CaptureQueriesContext(connection) as queries:
            assert make(notification) == Endpoint.objects.count()
        return len(queries)

    creation.time_zones()
    assert queries_for(1) == queries_for(11)


# --- The API --------------------------------------------------------------------------------------------------------
def caller(user: User) -> Client:
    _, token = create_api_token(user=user, name="test")
    return Client(headers={"Authorization": f"Bearer {token}"})


def test_the_document_is_read_and_replaced_over_the_api() -> None:
    user = a_viewer()
    api = caller(user)
    before = api.get("/api/v1/preferences").json()
    assert before["kinds"]["episode"] == {"mail": True, "web_push": True, "webhook": True}
    assert (before["quiet_hours"], before["digest"], before["time_zone"]) == (None, "never", "UTC")

    body = {
        "kinds": {"premiere": {"mail": False}},
        "topics": {MOVIES: ["web_push", "mail"]},
        "quiet_hours": {"start": "22:00", "end": "07:00"},
        "time_zone": "Asia/Kolkata",
        "digest": "daily",
        "digest_at": "18:30",
        "caps": {"web_push": 5},
        "escalate_after": 15,
    }
    put = api.put("/api/v1/preferences", body, content_type="application/json", headers={"Idempotency-Key": "k"})
    again = api.put("/api/v1/preferences", body, content_type="application/json", headers={"Idempotency-Key": "k"})
    after = api.get("/api/v1/preferences").json()

    assert put.status_code == again.status_code == 200
    assert put.json() == again.json() == after
    assert after["kinds"]["premiere"] == {"mail": False, "web_push": True, "webhook": True}
    assert after["topics"] == {MOVIES: ["mail", "web_push"]}
    assert after["quiet_hours"] == {"start": "22:00:00", "end": "07:00:00"}
    assert (after["time_zone"], after["digest_at"], after["caps"]) == ("Asia/Kolkata", "18:30:00", {"web_push": 5})
    assert api.put("/api/v1/preferences", {}, content_type="application/json").json()["topics"] == {}


@pytest.mark.parametrize(
    "body",
    [
        {"kinds": {"gossip": {"mail": True}}}, {"kinds": {"premiere": {"pigeon": True}}}, {"digest": "weekly"},
        {"quiet_hours": {"start": "25:00", "end": "07:00"}}, {"quiet_hours": {"start": "07:00", "end": "07:00"}},
        {"time_zone": "Mars/Olympus"}, {"caps": {"mail": 0}}, {"escalate_after": 100_000}, {"topics": {"x": ["mail"]}},
        {"topics": {MOVIES: ["pigeon"]}},
    ],
)  # fmt: skip
def test_the_api_refuses_what_cannot_be_and_changes_nothing(body: dict[str, Any]) -> None:
    answer = caller(a_viewer()).put("/api/v1/preferences", body, content_type="application/json")

    assert answer.status_code == 422
    assert answer.json()["type"].startswith("/problems/")
    assert not Preference.objects.exists()


def test_nobody_reads_preferences_without_signing_in() -> None:
    assert Client().get("/api/v1/preferences").status_code == 401
