"""The platform's own groups in the shadow: their handlers make of the stored messages what is stored."""

from typing import Any

import pytest
from django.db.models import F

from broker.current import current_topology
from broker.models import OutboxMessage
from broker.offsets import Anchor
from broker.range_replay import plan
from broker.shadow_replay import Report, shadow_replay
from catalog.commands import publish_release, recall_release
from catalog.models import Listing
from notifications.models import Notification, Posting, Topic
from tests.support.broker_app import handle_all, relay_all
from tests.support.catalog import a_draft

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _handled_releases() -> None:
    """Two that are out, and one that was taken back."""
    releases = [a_draft(kind=kind) for kind in ("premiere", "premiere", "live_event")]
    for release in releases:
        publish_release(release_id=release.pk, actor=None)
    recall_release(release_id=releases[2].pk, actor=None, reason="It rains.")
    relay_all()
    for group in current_topology().groups:
        handle_all(group.name)


def shadow_of(group: str) -> Report:
    return shadow_replay(group=group, parts=plan(group=group, start=Anchor.EARLIEST, until=Anchor.LATEST))


def stored() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Topic, Notification, Posting, Listing)]


@pytest.mark.parametrize("group", ["feed", "guide"])
def test_every_group_agrees_with_itself_and_changes_nothing(group: str) -> None:
    before, published = stored(), OutboxMessage.objects.count()
    report = shadow_of(group)

    assert report.differences == []
    assert (report.agree, report.superseded, report.failed) == (3, 1, 0)
    assert (stored(), OutboxMessage.objects.count()) == (before, published)


def test_what_was_changed_by_hand_is_named() -> None:
    Notification.objects.filter(recalled=False).update(title=F("subject"))
    Listing.objects.filter(is_withdrawn=True).delete()

    assert {each.made["title"][:8] for each in shadow_of("feed").differences if isinstance(each.made, dict)} == {
        "Premiere"
    }
    report = shadow_of("guide")
    assert [(each.type, each.stored) for each in report.differences] == [
        ("listing.added", None),
        ("listing.withdrawn", None),
    ]
