"""Two tabs with one draft: what both write is kept, and where they write the same field, somebody chooses."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client

from broker.event_store import load
from catalog.commands import edit_release
from catalog.models import Release
from tests.support.catalog import a_draft, a_member, a_studio

pytestmark = pytest.mark.django_db


class Tab:
    """The editor's page as one browser tab holds it: what it was rendered with, and what was typed since."""

    def __init__(self, client: Client, release: Release) -> None:
        self.client = client
        self.address = f"/studio/{release.title.studio.slug}/releases/{release.pk}/"
        self.fields: dict[str, str] = {}
        self.load()

    def load(self) -> None:
        page = self.client.get(self.address)
        form = page.context["form"]
        self.fields = {name: str(form[name].value() or "") for name in ("headline", "synopsis", "season")}
        for name in ("editor", "seen"):
            found = re.search(rf'name="{name}" value="([^"]*)"', page.content.decode())
            assert found
            self.fields[name] = unescape(found[1])

    def types(self, **fields: str) -> Any:
        """Type, and let it be saved: all of the form goes with it."""
        self.fields |= fields
        return self.saves()

    def saves(self, **more: str) -> Any:
        return self.client.post(self.address, self.fields | more, headers={"HX-Request": "true"})


@pytest.fixture
def release() -> Release:
    return a_draft(a_studio()[0], headline="Dawn", synopsis="Dark.")


@pytest.fixture
def open_tab(release: Release) -> Callable[[], Tab]:
    def opened() -> Tab:
        client = Client()
        client.force_login(a_member(release.title.studio))
        return Tab(client, release)

    return opened


def stored(release: Release) -> tuple[str, str]:
    release.refresh_from_db()
    return release.headline, release.synopsis


def says(answer: Any) -> str:
    return unescape(answer.content.decode())


def test_two_tabs_that_change_different_fields_both_keep_their_work(
    release: Release, open_tab: Callable[[], Tab]
) -> None:
    one, other = open_tab(), open_tab()
    assert one.types(headline="Dusk").status_code == 200
    assert other.types(synopsis="Darker.").status_code == 200
    assert one.types(headline="Dusk, at last").status_code == 200

    assert stored(release) == ("Dusk, at last", "Darker.")


def test_a_field_that_both_changed_is_not_overwritten_until_one_has_chosen(
    release: Release, open_tab: Callable[[], Tab]
) -> None:
    one, other = open_tab(), open_tab()
    one.types(headline="Dusk", synopsis="Darker.")

    answer = other.types(headline="Noon")

    assert answer.status_code == 422
    assert "somebody else changed the headline to “Dusk”" in says(answer)
    assert 'value="mine"' in says(answer)
    assert stored(release) == ("Dusk", "Darker.")


@pytest.mark.parametrize(("keep", "headline"), [("mine", "Noon"), ("theirs", "Dusk")])
def test_whoever_chooses_gets_that_field_and_everybody_elses_other_fields(
    keep: str, headline: str, release: Release, open_tab: Callable[[], Tab]
) -> None:
    one, other = open_tab(), open_tab()
    one.types(headline="Dusk", synopsis="Darker.")
    other.types(headline="Noon", season="2")

    answer = other.saves(keep=keep)

    assert (answer.status_code, answer.headers["HX-Refresh"]) == (200, "true")
    assert stored(release) == (headline, "Darker.")
    assert release.season == 2
    other.load()
    assert other.fields["headline"] == headline
    assert other.types(headline="Night").status_code == 200


def test_without_scripts_the_page_comes_back_with_what_was_typed_and_the_choice(
    release: Release, open_tab: Callable[[], Tab]
) -> None:
    one, other = open_tab(), open_tab()
    one.types(headline="Dusk")

    answer = other.client.post(other.address, other.fields | {"headline": "Noon"})

    assert answer.status_code == 422
    assert 'name="keep" value="theirs"' in says(answer)
    assert answer.context["form"]["headline"].value() == "Noon"
    assert answer.context["editor"] == other.fields["editor"]


def test_a_tab_is_never_in_its_own_way_even_when_it_takes_a_change_back(
    release: Release, open_tab: Callable[[], Tab]
) -> None:
    tab = open_tab()
    for headline in ("Dusk", "Noon", "Dawn", "Dawn"):
        assert tab.types(headline=headline).status_code == 200

    assert stored(release)[0] == "Dawn"
    assert [event.version for event in load(f"release:{release.pk}")] == [1, 2, 3, 4]


def test_the_api_changes_what_it_is_told_to_and_an_open_page_hears_of_it(
    release: Release, open_tab: Callable[[], Tab]
) -> None:
    tab = open_tab()
    edit_release(actor=None, release_id=release.pk, changes={"headline": "From a program"})

    assert tab.types(synopsis="Darker.").status_code == 200
    assert tab.types(headline="Noon").status_code == 422
    assert stored(release) == ("From a program", "Darker.")


@pytest.mark.parametrize(
    ("name", "value"),
    [("seen", "no JSON"), ("seen", '{"a": 0}'), ("seen", "[1]"), ("seen", '"a"'), ("editor", ""), ("keep", "both")],
)
def test_a_page_that_says_what_none_of_ours_says_is_asked_to_load_again(
    name: str, value: str, release: Release, open_tab: Callable[[], Tab]
) -> None:
    answer = open_tab().saves(headline="Noon", **{name: value})

    assert answer.status_code == 422
    assert "load it again" in says(answer)
    assert stored(release)[0] == "Dawn"
