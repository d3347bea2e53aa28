"""For whom a release is: what studios say of languages and regions, and how it arrives on viewers' cards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from broker.event_store import NewEvent, append
from broker.messages import Message
from broker.schemas import upcast, validate
from catalog.commands import edit_release, publish_release, recall_release
from catalog.errors import InvalidRelease
from catalog.events import release_key, release_published
from catalog.models import Release
from catalog.store import history_of, project
from notifications.commands import subscribe
from notifications.models import Notification, Posting
from notifications.queries import inbox
from tests.support.broker_app import drain
from tests.support.catalog import a_draft, a_member, a_studio

from .notifications_support import a_viewer
from .test_catalog_api import Api, refusal

pytestmark = pytest.mark.django_db
MAY, JUNE = datetime(2090, 5, 1, 20, tzinfo=UTC), datetime(2090, 6, 1, 20, tzinfo=UTC)
IN_AUSTRIA = {"region": "AT", "opens_at": MAY, "closes_at": JUNE}
STORED = {"region": "AT", "opens_at": "2090-05-01T20:00:00+00:00", "closes_at": "2090-06-01T20:00:00+00:00"}


def test_languages_and_windows_are_kept_and_published() -> None:
    release = a_draft(languages=["fr", "de", "fr"], windows=[{"region": "JP"}, IN_AUSTRIA])

    assert release.languages == ["de", "fr"]
    assert release.windows == [STORED, {"region": "JP", "opens_at": None, "closes_at": None}]
    message = release_published(publish_release(release_id=release.pk, actor=None))
    assert (message.version, message.data["languages"], len(message.data["windows"])) == (3, ["de", "fr"], 2)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("languages", ["de", "tlh"], "'tlh'"),
        ("windows", [{"region": "XX"}], "'XX'"),
        ("windows", [{"region": "AT"}, IN_AUSTRIA], "one window"),
        ("windows", [{"region": "AT", "opens_at": JUNE, "closes_at": MAY}], "In Austria, the window would close"),
        ("windows", [{"region": "AT", "opens_at": datetime(2090, 5, 1)}], "with a time zone"),  # noqa: DTZ001 - the point
    ],
)
def test_what_cannot_be_is_refused_by_name(field: str, value: Any, complaint: str) -> None:
    with pytest.raises(InvalidRelease) as refused:
        edit_release(actor=None, release_id=a_draft().pk, changes={field: value})

    assert (refused.value.extras["field"], complaint in refused.value.detail) == (field, True)


def test_the_api_takes_and_gives_them() -> None:
    api = Api(a_studio()[1])
    window = {"region": "AT", "opens_at": "2090-05-01T20:00:00Z", "closes_at": None}
    draft = {"title": "Low Tide", "category": "tv-shows", "kind": "episode", "languages": ["de"], "windows": [window]}

    made = api.post("", draft).json()
    assert (made["languages"], made["windows"]) == (["de"], [window])

    one = f"/{made['id']}"
    assert api.patch(one, {"headline": "The flood"}).json()["windows"] == [window]
    assert api.patch(one, {"windows": []}).json()["windows"] == []
    assert refusal(api.patch(one, {"languages": ["tlh"]})) == (422, "invalid-release")


def test_the_form_shows_and_saves_them_and_names_the_row_at_fault() -> None:
    release = a_draft(languages=["de"], windows=[IN_AUSTRIA])
    browser = Client()
    browser.force_login(a_member(release.title.studio))
    address = f"/studio/{release.title.studio.slug}/releases/{release.pk}/"
    page = browser.get(address)
    shown = page.content.decode()
    assert '<option value="AT" selected>Austria</option>' in shown
    assert 'name="windows-opens_at" value="2090-05-01T20:00"' in shown
    fields = {name: page.context[name] for name in ("editor", "seen")} | {"headline": release.headline}
    typed = {
        "languages": ["de", "fr"],
        "windows-region": ["AT", "JP", ""],
        "windows-opens_at": ["2090-05-01T20:00", "", ""],
        "windows-closes_at": ["", "", ""],
    }

    assert browser.post(address, fields | typed).status_code == 302
    release.refresh_from_db()
    assert release.languages == ["de", "fr"]
    assert [(each["region"], each["closes_at"]) for each in release.windows or ()] == [("AT", None), ("JP", None)]

    wrong = browser.post(address, fields | typed | {"windows-region": ["AT", "JP"], "windows-opens_at": ["", "soon"]})
    assert (wrong.status_code, "Row 2: choose a day and a time" in wrong.content.decode()) == (422, True)


def test_a_release_of_before_there_were_languages_is_for_everybody() -> None:
    release = a_draft()
    old = Release(pk="3f0a2a52-0f5e-4b0e-9a63-1f6c4a1b7c11", title=release.title)
    details = dict.fromkeys(("season", "episode", "starts_at", "expires_at")) | {"headline": "Old", "synopsis": ""}
    drafted = {"title": release.title_id, "kind": "premiere", "details": details}
    append(aggregate=release_key(old.pk), events=[NewEvent(type="release.drafted", data=drafted)], expected_version=0)
    project(old, history_of(old.pk))

    assert edit_release(actor=None, release_id=old.pk, changes={"languages": [], "headline": "Older"}).version == 2
    old.refresh_from_db()
    assert (old.headline, old.languages, old.windows) == ("Older", None, None)


def test_a_message_of_version_2_is_read_as_for_everybody() -> None:
    now = release_published(publish_release(release_id=a_draft().pk, actor=None))
    data = {name: value for name, value in now.data.items() if name not in {"languages", "windows"}}
    old = upcast(
        Message(type=now.type, version=2, data=data, key=now.key, exchange="catalog", routing_key=now.routing_key)
    )

    validate(old)
    assert (old.version, old.data["languages"], old.data["windows"]) == (3, [], [])


@pytest.mark.django_db(transaction=True)
def test_a_live_event_that_is_moved_and_then_called_off_changes_its_one_card() -> None:
    viewer = a_viewer()
    subscribe(viewer_id=viewer.pk, topic="category:sports")
    release = a_draft(kind="live_event", category="sports", title="The Final", starts_at=MAY, languages=["de"])

    def card() -> tuple[int, str, bool]:
        drain()
        (entry,) = inbox(viewer_id=viewer.pk).entries
        return entry.revision, entry.title.partition(":")[0], "22:00" in entry.body

    publish_release(release_id=release.pk, actor=None)
    assert card() == (1, "Live", False)
    edit_release(actor=None, release_id=release.pk, changes={"starts_at": MAY + timedelta(hours=2)})
    assert card() == (2, "Live", True)
    recall_release(release_id=release.pk, actor=None, reason="Rain.")
    assert card() == (3, "Withdrawn", False)
    assert (Notification.objects.get().languages, Posting.objects.count()) == (["de"], 9)
