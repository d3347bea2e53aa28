"""The console's pages on which operators decide: who may, what it does, and that it is remembered."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from broker import backoff, wake
from broker.dead_letter_filter import Filter
from broker.models import DeadLetter, GroupPartition, OperatorAction
from tests.support import broker_app
from tests.support.broker_app import effects, handle_all, publish_now, relay_all, sample

GROUPS = "/console/broker/operatoraction/groups/"
LETTERS = "/console/broker/deadletter/"


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(backoff, "BASE_SECONDS", 0.01)
    monkeypatch.setattr(wake, "send", lambda *_, **__: None)
    with broker_app.installed(tmp_path):
        yield


@pytest.fixture
def console() -> Client:
    """Ada's, who may do everything."""
    return signed_in(User.objects.create_superuser("ada@example.test", "correct horse battery"))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def somebody_who_may(*permissions: str) -> Client:
    user = User.objects.create_user("bob@example.test", "correct horse battery", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return signed_in(user)


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def after(client: Client, path: str, **data: Any) -> str:
    """What the operator reads after pressing a button."""
    answer = client.post(path, data, follow=True)
    assert answer.status_code == 200
    return text_of(answer)


def failed(*numbers: int, do: str = "fail-once") -> list[DeadLetter]:
    publish_now(*(sample(n, do=do, where="atmost") for n in numbers))
    relay_all()
    handle_all("atmost")
    return list(Filter().letters().order_by("pk"))


def test_a_group_is_paused_resumed_and_reset_after_a_look_at_what_that_would_do(console: Client) -> None:
    publish_now(*(sample(n) for n in range(3)))
    relay_all()
    handle_all("exact")

    assert "exact: paused." in after(console, GROUPS, do="pause", group="exact")
    assert set(GroupPartition.objects.filter(group="exact").values_list("paused", flat=True)) == {True}
    reset = {"group": "exact", "exact-target": "earliest", "exact-partition": ""}
    assert "from 3 to 0, 3 to be handled again" in after(console, GROUPS, do="dry-run", **reset)
    assert not OperatorAction.objects.filter(verb="reset").exists()
    assert "exact: reset." in after(console, GROUPS, do="reset", **reset)
    assert "exact: resumed." in after(console, GROUPS, do="resume", group="exact")
    handle_all("exact")

    assert effects("exact") == [0, 1, 2, 0, 1, 2]
    decided = OperatorAction.objects.order_by("id").values_list("actor", "verb", "target")
    assert list(decided) == [("ada@example.test", verb, "group:exact") for verb in ("pause", "reset", "resume")]
    assert "ada@example.test" in text_of(console.get("/console/broker/operatoraction/"))
    action = OperatorAction.objects.get(verb="reset")
    assert "earliest" in text_of(console.get(f"/console/broker/operatoraction/{action.pk}/change/"))


def test_a_reset_to_nowhere_is_refused_beside_its_field(console: Client) -> None:
    assert "yesterday is none of" in after(
        console, GROUPS, do="reset", **{"group": "exact", "exact-target": "yesterday"}
    )
    assert "99 is beyond the end" in after(console, GROUPS, do="reset", **{"group": "exact", "exact-target": "99"})
    assert "There is no group" in after(console, GROUPS, do="pause", group="exakt")
    assert not OperatorAction.objects.exists()


def test_a_dead_letter_is_replayed_edited_and_discarded_on_its_page(console: Client) -> None:
    good, bad, other = failed(1, 2, 3)
    DeadLetter.objects.filter(pk=bad.pk).update(body=bad.body | {"data": {"n": 2, "do": "fail", "where": "atmost"}})
    assert "is replayed" in after(console, f"{LETTERS}{good.pk}/change/", do="replay", to_group="exact")
    assert effects("exact") == [1]

    page = f"{LETTERS}{bad.pk}/change/"
    assert "It failed again: ValueError: told to fail" in after(console, page, do="replay")
    body = json.dumps(bad.body | {"data": {"m": 5}})
    assert "data.n: Field required" in after(console, page, do="edit", body=body)
    assert "Enter a valid JSON." in after(console, page, do="edit", body="{")
    assert "has another message now" in after(console, page, do="edit", body=json.dumps(bad.body | {"data": {"n": 5}}))
    assert "is replayed" in after(console, page, do="replay")
    assert effects("atmost") == [5]
    assert "ada@example.test, edit" in text_of(console.get(page))

    assert "is discarded" in after(console, f"{LETTERS}{other.pk}/change/", do="discard")
    assert "is discarded already" in after(console, f"{LETTERS}{other.pk}/change/", do="replay")
    assert not Filter().letters().exists()


def test_chosen_dead_letters_are_replayed_or_discarded_together(console: Client) -> None:
    letters = failed(1, 2, 3, 4)
    chosen = [letter.pk for letter in letters]
    assert "2 replayed, 0 failed again" in after(
        console, LETTERS, action="replay_selected", _selected_action=chosen[:2]
    )
    assert "2 discarded" in after(console, LETTERS, action="discard_selected", _selected_action=chosen)
    assert effects("atmost") == [1, 2]
    assert OperatorAction.objects.get(verb="discard").before == {"ids": chosen}


def test_who_may_look_may_not_decide_and_others_may_not_look() -> None:
    [letter] = failed(1)
    onlooker = somebody_who_may("view_deadletter", "view_grouppartition", "view_operatoraction")
    page = f"{LETTERS}{letter.pk}/change/"
    for path in (GROUPS, page):
        shown = text_of(onlooker.get(path))
        assert 'name="do"' not in shown
    for path, do in ((GROUPS, "pause"), (GROUPS, "reset"), (page, "replay"), (page, "edit"), (page, "discard")):
        assert onlooker.post(path, {"do": do, "group": "exact"}).status_code == 403
    assert "replay_selected" not in text_of(onlooker.get(LETTERS))
    onlooker.post(LETTERS, {"action": "discard_selected", "_selected_action": [letter.pk]})

    User.objects.get(email="bob@example.test").user_permissions.clear()
    assert onlooker.get(GROUPS).status_code == onlooker.get(page).status_code == 403
    assert Client().get(GROUPS).status_code == 302
    assert Filter().letters().get() == letter
    assert not OperatorAction.objects.exists()


def test_a_page_of_another_site_decides_nothing() -> None:
    ada = User.objects.create_superuser("ada@example.test", "correct horse battery")
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.post(GROUPS, {"do": "pause", "group": "exact"}).status_code == 403
