"""What an operator sees and decides: numbers, commands, replays of dead letters."""

import dataclasses
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, execute_from_command_line
from django.test import override_settings

from broker import backoff, queries, wake, work
from broker.errors import AlreadyDecided, BrokerError
from broker.models import DeadLetter, OutboxMessage, WorkItem
from broker.replay import replay
from broker.topology import Binding, Topology
from broker.validation import problems
from ott.topology import topology as real_topology
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
    call_command(*arguments, stdout=output, stderr=output)
    return output.getvalue()


def failed_in_group() -> DeadLetter:
    """A dead letter that would succeed now: it fails only the first time."""
    publish_now(sample(1, do="fail-once", where="atmost"), sample(2))
    relay_all()
    handle_all("atmost")
    return DeadLetter.objects.get()


def test_the_numbers_cost_few_queries_whatever_there_is(django_assert_num_queries: Any) -> None:
    publish_now(sample(1), sample(2, routing_key="job"), sample(3, exchange="nowhere"))
    relay_all()
    publish_now(sample(4))
    handle_all("exact")

    with django_assert_num_queries(5):
        assert queries.outbox_depth() == 1
        assert queries.work_queue_depths() == {"jobs": {"ready": 1}}
        assert queries.dead_letter_counts() == {("exchange:nowhere", "unroutable"): 1}
        lags = queries.lag()
    assert {(lag.group, lag.offset, lag.end, lag.lag, lag.owner) for lag in lags} == {
        ("exact", 0, 0, 0, ""),
        ("exact", 1, 1, 0, ""),
    }


def test_lag_counts_what_a_group_has_not_handled() -> None:
    publish_now(sample(1))
    relay_all()
    handle_all("exact")
    publish_now(sample(2), sample(3))
    relay_all()

    assert sum(lag.lag for lag in queries.lag()) == 2
    assert sum(group["lag"] for group in json.loads(command("broker_lag", "--json"))["groups"]) == 2
    table = command("broker_lag")
    assert "Outbox: 0 waiting" in table
    assert "exact" in table


def test_the_topology_is_shown_and_checked() -> None:
    shown = command("broker_topology")
    assert "samples" in shown
    assert "tests.support.broker_app.note_exactly" in shown
    as_json = json.loads(command("broker_topology", "--json"))
    assert [(group["name"], group["batch"]) for group in as_json["groups"]] == [
        ("exact", 1),
        ("atleast", 1),
        ("atmost", 1),
    ]

    broken = "tests.integration.test_broker_operations.broken_topology"
    with override_settings(BROKER_TOPOLOGY=broken), pytest.raises(CommandError, match="'samples' → 'gone'"):
        command("broker_topology")
    with override_settings(BROKER_TOPOLOGY=broken), pytest.raises(CommandError, match="'samples' → 'gone'"):
        command("run_broker")


def test_the_real_topology_has_no_mistakes() -> None:
    assert problems(real_topology) == []


def test_a_groups_dead_letter_is_replayed_to_its_handler() -> None:
    letter = failed_in_group()
    assert effects("atmost") == [2]
    replay(dead_letter_id=letter.pk, actor="ada")

    letter.refresh_from_db()
    assert (letter.state, letter.decided_at is not None) == ("replayed", True)
    assert effects("atmost") == [2, 1]


def test_replaying_twice_has_the_effect_of_once_also_at_the_same_moment() -> None:
    letter = failed_in_group()
    outcomes: list[str] = []

    def try_it() -> None:
        try:
            replay(dead_letter_id=letter.pk, actor="ada")
            outcomes.append("replayed")
        except AlreadyDecided:
            outcomes.append("refused")

    in_threads(try_it, 4)
    assert sorted(outcomes) == ["refused"] * 3 + ["replayed"]
    assert effects("atmost") == [2, 1]


def test_a_replay_that_fails_leaves_the_letter_waiting() -> None:
    publish_now(sample(1, do="permanent"))
    relay_all()
    handle_all("exact")
    letter = DeadLetter.objects.get()

    with pytest.raises(BrokerError, match="told to fail for good"):
        replay(dead_letter_id=letter.pk, actor="ada")
    letter.refresh_from_db()
    assert letter.state == "waiting"


def test_a_dead_item_is_replayed_with_all_its_attempts() -> None:
    publish_now(sample(1, routing_key="job", do="permanent", where="jobs"))
    relay_all()
    item = WorkItem.objects.get()
    work.run(item.pk)
    DeadLetter.objects.update(body=item.body | {"data": {"n": 1}})  # what a repaired handler would do
    replay(dead_letter_id=DeadLetter.objects.get().pk, actor="ada")
    item.refresh_from_db()
    assert (item.state, item.attempts) == ("ready", 0)

    work.run(item.pk)
    assert effects("jobs") == [1]


def test_a_dead_item_that_was_pruned_is_made_anew_and_may_die_again() -> None:
    publish_now(sample(1, routing_key="job", do="permanent", where="jobs"))
    relay_all()
    work.run(WorkItem.objects.get().pk)
    WorkItem.objects.all().delete()
    replay(dead_letter_id=DeadLetter.objects.get().pk, actor="ada")
    work.run(WorkItem.objects.get().pk)

    assert sorted(DeadLetter.objects.values_list("state", flat=True)) == ["replayed", "waiting"]


def test_an_unroutable_message_is_replayed_through_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    publish_now(sample(1, exchange="nowhere"), sample(2))
    drain()
    letter = DeadLetter.objects.get()
    replay(dead_letter_id=letter.pk, actor="ada")
    assert OutboxMessage.objects.get(message_id=letter.message_id).relayed_at is None

    # It is unroutable still: a new dead letter, at a later position
    drain()
    again = DeadLetter.objects.exclude(pk=letter.pk).get()
    assert (again.state, again.position) == ("waiting", 3)

    # And once there is a binding, and the outbox was pruned meanwhile, it arrives
    OutboxMessage.objects.all().delete()
    replay(dead_letter_id=again.pk, actor="ada")
    with override_settings(BROKER_TOPOLOGY="tests.integration.test_broker_operations.mended_topology"):
        drain()
    assert effects("exact") == [2, 1]


def test_without_a_verb_dead_letters_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    letter = failed_in_group()
    for words in ([], ["--json"]):
        execute_from_command_line(["manage.py", "broker_dead_letters", *words])
        assert str(letter.key) in capsys.readouterr().out
    with pytest.raises(SystemExit):
        execute_from_command_line(["manage.py", "broker_dead_letters", "--help"])
    assert "{list,show,edit,replay,discard}" in capsys.readouterr().out


def test_an_operator_lists_shows_replays_and_discards() -> None:
    letter = failed_in_group()
    publish_now(sample(3, exchange="nowhere"))
    relay_all()
    other = DeadLetter.objects.exclude(pk=letter.pk).get()

    assert "told to fail at atmost" in command("broker_dead_letters", "list")
    assert "exchange:nowhere" not in command("broker_dead_letters", "list", "--origin", "group:atmost")
    shown = command("broker_dead_letters", "show", str(letter.pk))
    assert "Traceback" in shown
    assert '"n": 1' in shown
    assert f"{letter.pk}: replayed" in command("broker_dead_letters", "replay", str(letter.pk))
    assert f"{other.pk}: discarded" in command("broker_dead_letters", "discard", str(other.pk))
    with pytest.raises(CommandError, match="1 of 1 could not be replayed"):
        command("broker_dead_letters", "replay", str(letter.pk))
    with pytest.raises(CommandError, match="There is no dead letter 999"):
        command("broker_dead_letters", "show", "999")
    assert not DeadLetter.objects.filter(state="waiting").exists()


def _with(binding: Binding) -> Topology:
    return dataclasses.replace(broker_app.topology, bindings=(*broker_app.topology.bindings, binding))


broken_topology = _with(Binding(exchange="samples", to="gone"))
mended_topology = _with(Binding(exchange="nowhere", routing_key="noted", to="log"))
