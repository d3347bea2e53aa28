"""What operators decide about dead letters: replay one or many, park what fails again, edit, discard."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from broker import backoff, replay, wake, work
from broker.dead_letter_commands import discard_matching, edit
from broker.dead_letter_filter import Filter
from broker.errors import AlreadyDecided, InvalidMessage, NotReplayable, Parked, UnknownName
from broker.models import DeadLetter, OperatorAction, OutboxMessage, WorkItem
from tests.support import broker_app
from tests.support.broker_app import drain, effects, handle_all, in_threads, publish_now, relay_all, sample


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(backoff, "BASE_SECONDS", 0.01)
    monkeypatch.setattr(wake, "send", lambda *_, **__: None)
    with broker_app.installed(tmp_path):
        yield


def command(*arguments: str) -> str:
    output = StringIO()
    call_command("broker_dead_letters", *arguments, stdout=output, stderr=output)
    return output.getvalue()


def that_failed(*numbers: int, do: str = "fail-once", key: str = "sample:1") -> list[DeadLetter]:
    """Dead letters of the group `atmost`; they would succeed now, unless they always fail."""
    publish_now(*(sample(n, do=do, where="atmost", key=key) for n in numbers))
    relay_all()
    handle_all("atmost")
    return list(DeadLetter.objects.order_by("-pk")[: len(numbers)])


def test_what_fails_again_is_counted_then_parked_until_it_is_forced() -> None:
    [letter] = that_failed(1, do="fail")
    for replays in (1, 2, 3):
        with pytest.raises(ValueError, match="told to fail"):
            replay.replay(dead_letter_id=letter.pk, actor="ada")
        letter.refresh_from_db()
        assert letter.replays == replays
    assert letter.state == "parked"
    with pytest.raises(Parked, match="failed in 3 replays and is parked"):
        replay.replay(dead_letter_id=letter.pk, actor="ada")

    edit(dead_letter_id=letter.pk, body=letter.body | {"data": {"n": 1}}, actor="ada")
    replay.replay(dead_letter_id=letter.pk, actor="ada", force=True)
    letter.refresh_from_db()
    assert (letter.state, letter.replays, letter.decided_by) == ("replayed", 4, "ada")
    assert effects("atmost") == [1]


def test_the_count_goes_on_where_a_replay_fails_later() -> None:
    publish_now(sample(1, routing_key="job", do="permanent", where="jobs"), sample(2, exchange="nowhere"))
    drain()
    for round_ in (1, 2, 3):
        for letter in Filter().letters(also_parked=False):
            replay.replay(dead_letter_id=letter.pk, actor="ada")
        drain()
        assert set(Filter().letters().values_list("replays", flat=True)) == {round_}

    assert set(Filter().letters().values_list("origin", "state")) == {
        ("queue:jobs", "parked"),
        ("exchange:nowhere", "parked"),
    }


def test_a_violation_that_shows_at_the_commit_is_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    [letter] = that_failed(1)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE twice (x int UNIQUE DEFERRABLE INITIALLY DEFERRED)")

    def violate(*_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO twice VALUES (1), (1)")

    monkeypatch.setattr(replay, "_to_group", violate)
    outcome = replay.replay_matching(where=Filter(), actor="ada")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE twice")
    letter.refresh_from_db()
    assert (outcome.failed, letter.replays, letter.state) == (1, 1, "waiting")


def test_all_that_match_are_replayed_and_a_run_that_was_cut_is_continued_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay, "CHUNK", 2)
    that_failed(*range(5))
    that_failed(7, key="sample:7")
    where = Filter(origin="group:atmost", key="sample:1", error="told to fail")
    seen: list[int] = []

    def cut(outcome: replay.Outcome) -> None:
        seen.append(outcome.replayed)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay.replay_matching(where=where, actor="ada", on_progress=cut)
    assert seen == [2]
    outcome = replay.replay_matching(where=where, actor="ada")

    assert (outcome.replayed, outcome.failed, outcome.passed) == (3, 0, 0)
    assert effects("atmost") == [0, 1, 2, 3, 4]
    assert Filter().letters().get().key == "sample:7"


def test_two_operators_who_replay_the_same_have_the_effect_of_one() -> None:
    that_failed(*range(6))
    outcomes: list[replay.Outcome] = []
    in_threads(lambda: outcomes.append(replay.replay_matching(where=Filter(), actor="ada")), 3)

    assert sorted(effects("atmost")) == list(range(6))
    assert sum(outcome.replayed for outcome in outcomes) == 6


def test_a_letter_goes_to_a_named_group() -> None:
    [letter] = that_failed(1)
    replay.replay(dead_letter_id=letter.pk, actor="ada", to_group="exact")
    assert (effects("atmost"), effects("exact")) == ([], [1])

    [other] = that_failed(2)
    with pytest.raises(UnknownName, match="There is no group 'exakt'"):
        replay.replay(dead_letter_id=other.pk, actor="ada", to_group="exakt")
    DeadLetter.objects.filter(pk=other.pk).update(origin="elsewhere:mail")
    with pytest.raises(NotReplayable, match="goes back to a named group only"):
        replay.replay(dead_letter_id=other.pk, actor="ada")
    other.refresh_from_db()
    assert other.replays == 0


def test_an_edited_message_is_what_goes_back() -> None:
    publish_now(sample(1, routing_key="job", do="permanent", where="jobs"), sample(2, exchange="nowhere"))
    drain()
    for letter in Filter().letters():
        body = letter.body | {"data": {"n": letter.body["data"]["n"] + 10}, "exchange": "samples"}
        edit(dead_letter_id=letter.pk, body=body | {"routingkey": "job"}, actor="ada")
    replay.replay_matching(where=Filter(), actor="ada")
    drain()

    assert sorted(effects("jobs")) == [11, 12]
    before_and_after = OperatorAction.objects.filter(verb="edit").order_by("id").values_list("before", "after")
    numbers = sorted((before["data"]["n"], after["data"]["n"]) for before, after in before_and_after)
    assert numbers == [(1, 11), (2, 12)]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"data": {"m": 1}}, "data.n: Field required"),
        ({"id": "b9b6a4ae-0000-4000-8000-000000000000"}, "id: must stay"),
        ({"position": 99}, "position: must stay 1"),
        ({"time": "soon"}, "time: cannot be read"),
        ({"expirytime": "2026-12-01T00:00:00"}, "expirytime: cannot be read: it has no time zone"),
        ({"headers": {"urgency": ["high"]}}, "headers: cannot be read: headers are text"),
        ({"partitionkey": "k" * 256}, "key: is longer than 255 bytes"),
        ({"type": "sample.unheard"}, "type: no schema is registered"),
    ],
)
def test_an_edit_that_makes_no_valid_message_is_refused_by_name(change: dict[str, Any], problem: str) -> None:
    [letter] = that_failed(1)
    with pytest.raises(InvalidMessage, match=problem):
        edit(dead_letter_id=letter.pk, body=letter.body | change, actor="ada")
    letter.refresh_from_db()
    assert letter.body["data"]["n"] == 1


def test_what_matches_is_discarded_at_once() -> None:
    [letter, *_] = that_failed(1, 2)
    that_failed(3, key="sample:7")
    assert discard_matching(where=Filter(key="sample:1"), actor="ada") == 2
    with pytest.raises(AlreadyDecided):
        replay.replay(dead_letter_id=letter.pk, actor="ada", force=True)
    assert Filter().letters().count() == 1


def test_the_command_filters_edits_replays_and_says_what_it_would_do(tmp_path: Path) -> None:
    [letter] = that_failed(1, do="fail")
    that_failed(2, key="sample:7")
    shown = json.loads(command("show", str(letter.pk), "--json"))
    assert shown["body"]["data"]["do"] == "fail"
    (tmp_path / "body.json").write_text(json.dumps(shown["body"] | {"data": {"n": 5}}))
    assert "edited" in command("edit", str(letter.pk), str(tmp_path / "body.json"), "--actor", "ada")
    assert "ada: edit" in command("show", str(letter.pk))

    assert len(json.loads(command("list", "--json", "--type", "sample.noted"))) == 2
    assert "1 would be replayed" in command("replay", "--all", "--key", "sample:1", "--dry-run")
    assert effects("atmost") == []
    assert "1 replayed, 0 failed" in command("replay", "--all", "--key", "sample:1")
    assert effects("atmost") == [5]
    assert "sample:1" in command("list", "--state", "replayed")
    assert "1 discarded" in command("discard", "--all", "--since", "2026-01-01T00:00Z")
    with pytest.raises(CommandError, match="either ids, or --all"):
        command("replay")
    with pytest.raises(CommandError, match="argument --since: yesterday is none of"):
        command("list", "--since", "yesterday")


def test_a_dead_item_goes_back_as_it_was_edited_and_a_step_that_runs_twice_leaves_one_letter() -> None:
    publish_now(sample(1, routing_key="job", do="permanent", where="jobs"))
    drain()
    item, letter = WorkItem.objects.get(), DeadLetter.objects.get()
    replay.replay(dead_letter_id=letter.pk, actor="ada")
    work.run(item.pk)
    OutboxMessage.objects.update(relayed_at=None)
    relay_all()

    assert sorted(DeadLetter.objects.values_list("state", "replays")) == [("replayed", 1), ("waiting", 1)]
