"""For whom a notification is: languages, regions and their windows, muted topics."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.clock import database_now
from accounts.commands import update_profile
from accounts.models import User
from notifications.commands import mute, revise_notification, subscribe, turn_windows, unsubscribe
from notifications.errors import InvalidMute, NotFollowed
from notifications.models import Notification, Posting, Subscription
from notifications.outbound import endpoints
from notifications.outbound.models import Delivery
from notifications.queries import inbox, positions, unread_count
from notifications.read_commands import mark_read
from notifications.resume_queries import missed_by

from .notifications_support import LONG_AGO, MOVIES, a_viewer, post, titles
from .outbound_support import make

pytestmark = pytest.mark.django_db
AURORA = "studio:aurora"
HOUR = timedelta(hours=1)
FAR = datetime(2090, 1, 1, tzinfo=UTC)


def a_follower(*, languages: Sequence[str] = (), region: str = "") -> User:
    """A viewer who follows Movies and is told by mail."""
    viewer = a_viewer()
    update_profile(user=viewer, languages=languages, region=region)
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    endpoints.set_mail(viewer_id=viewer.pk, on=True)
    return viewer


def window(region: str, start: datetime | None = None, end: datetime | None = None) -> dict[str, Any]:
    return {"region": region, "opens_at": start and start.isoformat(), "closes_at": end and end.isoformat()}


def mailed(notification: Notification) -> set[int]:
    """Whom a mail goes to."""
    make(notification)
    made = Delivery.objects.filter(notification_id=notification.pk)
    return set(made.values_list("viewer_id", flat=True))


def time_passes(notification: Notification, *windows: dict[str, Any]) -> None:
    """As if the windows had been these all along: one has turned since anybody looked."""
    Notification.objects.filter(pk=notification.pk).update(windows=list(windows), turns_at=database_now())
    turn_windows()


# --- Languages -----------------------------------------------------------------------------------------------------
def test_a_viewer_hears_of_releases_in_a_language_of_theirs() -> None:
    german, polyglot, anyone = a_follower(languages=["de"]), a_follower(languages=["de", "fr"]), a_follower()

    french = post("French", languages=["fr", "it"])
    silent = post("Silent")

    assert [titles(viewer) for viewer in (german, polyglot, anyone)] == [
        ["Silent"],
        ["Silent", "French"],
        ["Silent", "French"],
    ]
    assert mailed(french) == {polyglot.pk, anyone.pk}
    assert mailed(silent) == {german.pk, polyglot.pk, anyone.pk}


def test_a_change_of_languages_shows_at_once_what_was_hidden_before() -> None:
    viewer = a_follower(languages=["de"])
    post("French", languages=["fr"])

    update_profile(user=viewer, languages=["de", "fr"])

    assert titles(viewer) == ["French"]


def test_a_release_that_changes_its_languages_has_to_go_from_the_cards_of_some() -> None:
    german, french = a_follower(languages=["de"]), a_follower(languages=["fr"])
    posted = post("Dubbed", subject="release:a", languages=["de", "fr"])
    held = positions(german.pk)

    revise_notification(subject="release:a", subject_version=2, languages=["fr"])

    assert (titles(german), titles(french)) == ([], ["Dubbed"])
    assert missed_by(viewers=[(german.pk, held), (french.pk, held)], limit=10) == [
        ((posted.pk, None),),
        ((posted.pk, 2),),
    ]


# --- Regions -------------------------------------------------------------------------------------------------------
def test_a_window_is_for_viewers_of_its_region_alone_and_not_for_those_who_do_not_say() -> None:
    austrian, japanese, nowhere = a_follower(region="AT"), a_follower(region="JP"), a_follower()

    posted = post("In Austria", windows=[window("AT", LONG_AGO, FAR), window("JP", FAR)])

    assert [titles(viewer) for viewer in (austrian, japanese, nowhere)] == [["In Austria"], [], []]
    assert mailed(posted) == {austrian.pk}
    assert Notification.objects.get().turns_at == FAR


def test_a_window_that_opens_is_news_for_its_region_and_leaves_other_cards_as_they_are() -> None:
    austrian, japanese = a_follower(region="AT"), a_follower(region="JP")
    posted = post("Around the world", windows=[window("AT"), window("JP", FAR)])
    mark_read(viewer_id=austrian.pk, ids=[posted.pk])
    held = positions(japanese.pk)

    time_passes(posted, window("AT"), window("JP", database_now()))

    assert (titles(austrian), titles(japanese)) == (["Around the world"], ["Around the world"])
    assert [unread_count(viewer_id=viewer.pk) for viewer in (austrian, japanese)] == [0, 1]
    assert missed_by(viewers=[(austrian.pk, held), (japanese.pk, held)], limit=10) == [(), ((posted.pk, 2),)]
    assert mailed(posted) == {austrian.pk, japanese.pk}


def test_who_became_a_follower_before_a_window_opened_hears_of_it() -> None:
    posted = post("Later here", windows=[window("JP", FAR)])
    viewer = a_follower(region="JP")

    time_passes(posted, window("JP", database_now()))

    assert titles(viewer) == ["Later here"]


def test_a_window_that_closes_takes_the_card_away() -> None:
    austrian, japanese = a_follower(region="AT"), a_follower(region="JP")
    posted = post("Leaving", windows=[window("AT", None, FAR), window("JP")])
    held = positions(austrian.pk)

    time_passes(posted, window("AT", None, database_now()), window("JP"))

    assert (titles(austrian), titles(japanese)) == ([], ["Leaving"])
    assert missed_by(viewers=[(austrian.pk, held), (japanese.pk, held)], limit=10) == [((posted.pk, None),), ()]
    assert Notification.objects.get().turns_at is None


def test_what_was_recalled_appears_in_no_further_region() -> None:
    viewer = a_follower(region="JP")
    post("Too late", subject="release:a", windows=[window("JP", FAR)])
    recalled = revise_notification(subject="release:a", subject_version=2, recalled=True)
    assert recalled is not None

    time_passes(recalled, window("JP", database_now()))

    assert titles(viewer) == []
    assert Posting.objects.count() == 2


def test_nothing_turns_twice() -> None:
    posted = post("Once", windows=[window("JP", FAR)])
    time_passes(posted, window("JP", database_now()))

    assert turn_windows() == 0
    assert Posting.objects.count() == 2


# --- Expiry --------------------------------------------------------------------------------------------------------
def test_a_release_that_is_over_sooner_than_was_said_has_to_go() -> None:
    viewer = a_follower()
    posted = post("Short", subject="release:a", expires_at=FAR)
    held = positions(viewer.pk)

    revise_notification(subject="release:a", subject_version=2, expires_at=LONG_AGO)

    assert titles(viewer) == []
    assert missed_by(viewers=[(viewer.pk, held)], limit=10) == [((posted.pk, None),)]


# --- Muting --------------------------------------------------------------------------------------------------------
def test_what_is_posted_to_a_muted_topic_stays_hidden_unless_it_comes_by_another() -> None:
    viewer = a_follower()
    subscribe(viewer_id=viewer.pk, topic=AURORA)
    post("Before")
    mute(viewer_id=viewer.pk, topic=MOVIES, until=database_now() + HOUR)

    muted, by_studio = post("Muted"), post("By the studio", MOVIES, AURORA)
    assert titles(viewer) == ["By the studio", "Before"]
    assert unread_count(viewer_id=viewer.pk) == 2
    assert (mailed(muted), mailed(by_studio)) == (set(), {viewer.pk})

    mute(viewer_id=viewer.pk, topic=MOVIES, until=None)
    post("After")
    assert titles(viewer) == ["After", "By the studio", "Before"]


def test_a_mute_ends_by_itself_at_its_moment() -> None:
    viewer = a_follower()
    mute(viewer_id=viewer.pk, topic=MOVIES, until=database_now() + HOUR)
    post("Muted")
    Subscription.objects.filter(viewer=viewer, until_seq=None).update(muted_until=database_now())

    post("At that moment or later")

    assert titles(viewer) == ["At that moment or later"]


def test_other_kinds_leave_a_mute_as_it_is_and_leaving_ends_it() -> None:
    viewer = a_follower()
    mute(viewer_id=viewer.pk, topic=MOVIES, until=database_now() + HOUR)
    subscribe(viewer_id=viewer.pk, topic=MOVIES, kinds=["premiere"])
    post("Muted")
    assert titles(viewer) == []

    unsubscribe(viewer_id=viewer.pk, topic=MOVIES)
    subscribe(viewer_id=viewer.pk, topic=MOVIES)
    post("Heard")
    assert titles(viewer) == ["Heard"]


def test_a_mute_needs_a_followed_topic_and_a_moment_to_come() -> None:
    viewer = a_follower()
    with pytest.raises(NotFollowed):
        mute(viewer_id=viewer.pk, topic=AURORA, until=database_now() + HOUR)
    for until in (database_now() - HOUR, datetime(2090, 1, 1)):  # noqa: DTZ001 - the point
        with pytest.raises(InvalidMute):
            mute(viewer_id=viewer.pk, topic=MOVIES, until=until)


def test_muting_changes_the_epoch_and_again_changes_nothing() -> None:
    viewer = a_follower()
    until = database_now() + HOUR
    epochs = [inbox(viewer_id=viewer.pk).epoch]
    for _ in range(2):
        mute(viewer_id=viewer.pk, topic=MOVIES, until=until)
        epochs.append(inbox(viewer_id=viewer.pk).epoch)

    assert epochs[0] != epochs[1] == epochs[2]


def test_a_change_is_news_also_where_it_takes_a_card_away() -> None:
    shut = {"region": "AT", "opens_at": "2090-01-01T00:00:00+00:00", "closes_at": None}
    first = post("Everywhere", subject="release:moved")
    changes: list[dict[str, Any]] = [{"windows": [shut]}, {"windows": [shut | {"opens_at": None}]}, {"windows": [shut]}]

    for version, change in enumerate(changes, start=2):
        revise_notification(subject="release:moved", subject_version=version, **change)

    news = Posting.objects.filter(notification=first).order_by("revision").values_list("regions", flat=True)
    assert list(news) == [None, None, ["AT"], ["AT"]]
