"""Ranges of a stream handed to a group once more; and the shadow, which only compares."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import override_settings

from broker import backoff, range_replay
from broker.messages import Message
from broker.models import DeadLetter, GroupPartition, OperatorAction, OutboxMessage
from broker.offsets import Anchor
from broker.routing import partition_for
from broker.shadow_replay import NoShadow, Superseded, shadow_replay
from broker.topology import Shadow
from tests.support import broker_app
from tests.support.broker_app import effects, handle_all, publish_now, relay_all, sample

PARTITION = partition_for("sample:1", 2)
HERE = "tests.integration.test_broker_replays"


def effect_of(message: Message) -> Mapping[str, Any] | None:
    """What `note_exactly` left of this message."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, n FROM effect WHERE place = 'exact' AND position = %s", [message.position])
        row = cursor.fetchone()
        if row and row[1] > 1000:
            raise Superseded(str(row))
    return {"key": row[0], "n": row[1]} if row else None


def with_shadow(*tables: str) -> Any:
    exact, *others = broker_app.topology.groups
    shadow = Shadow(effect=f"{HERE}.effect_of", tables=tables)
    return replace(broker_app.topology, groups=(replace(exact, shadow=shadow), *others))


shadowed = with_shadow("effect")
too_few = with_shadow()


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(backoff, "BASE_SECONDS", 0.01)
    with broker_app.installed(tmp_path), override_settings(BROKER_TOPOLOGY=f"{HERE}.shadowed"):
        yield


def given(*messages: Message) -> None:
    publish_now(*messages)
    relay_all()
    handle_all("exact")


def command(*arguments: str) -> str:
    output = StringIO()
    call_command("broker_replay", *arguments, stdout=output, stderr=output)
    return output.getvalue()


def parts(**options: Any) -> Any:
    return range_replay.plan(group="exact", **({"start": Anchor.EARLIEST, "until": Anchor.LATEST} | options))


def in_database() -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(effect::text ORDER BY id) FROM effect")
        return (cursor.fetchone()[0], OutboxMessage.objects.count(), list(GroupPartition.objects.values()))


def test_a_range_is_handled_again_and_the_group_stays_where_it_is() -> None:
    given(*(sample(n) for n in range(5)), sample(5, type="sample.ignored"))
    before = list(GroupPartition.objects.values())
    outcome = range_replay.replay_range(group="exact", parts=parts(start=1, until=3, partition=PARTITION), actor="ada")

    assert (outcome.handled, outcome.passed, outcome.failed) == (2, 0, 0)
    assert effects("exact") == [0, 1, 2, 3, 4, 1, 2]
    assert list(GroupPartition.objects.values()) == before
    action = OperatorAction.objects.get()
    assert (action.actor, action.verb, action.after) == ("ada", "replay", {str(PARTITION): [1, 3]})
    assert range_replay.replay_range(group="exact", parts=parts(), actor="ada").passed == 1


def test_what_fails_in_a_range_becomes_a_dead_letter_and_the_rest_goes_on() -> None:
    given(sample(1, do="permanent"), sample(2))
    DeadLetter.objects.all().delete()
    outcome = range_replay.replay_range(group="exact", parts=parts(), actor="ada")

    assert (outcome.handled, outcome.failed) == (1, 1)
    assert DeadLetter.objects.get().error == "PermanentFailure: told to fail for good"


def test_a_shadow_replay_agrees_with_what_the_same_handlers_stored_and_changes_nothing() -> None:
    given(*(sample(n) for n in range(4)), sample(4, follow=True), sample(5, type="sample.ignored"))
    before = in_database()
    report = shadow_replay(group="exact", parts=parts())

    assert (report.agree, report.differ, report.failed, report.passed) == (5, 0, 0, 1)
    assert in_database() == before
    assert "agree" in command("shadow", "exact", "--from", "2")


def test_a_shadow_replay_names_what_a_handler_would_do_otherwise_today() -> None:
    given(sample(1), sample(2), sample(3), sample(4, do="permanent"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE effect SET n = 99 WHERE n = 1")
        cursor.execute("UPDATE effect SET n = 2000 WHERE n = 2")
        cursor.execute("DELETE FROM effect WHERE n = 3")
    report = shadow_replay(group="exact", parts=parts())

    assert (report.agree, report.differ, report.failed, report.superseded) == (0, 2, 1, 1)
    assert [(each.offset, each.stored, each.made) for each in report.differences] == [
        (0, {"key": "sample:1", "n": 99}, {"key": "sample:1", "n": 1}),
        (2, None, {"key": "sample:1", "n": 3}),
        (3, None, "PermanentFailure: told to fail for good"),
    ]
    with pytest.raises(CommandError, match="3 do not agree"):
        command("shadow", "exact")


def test_a_write_that_the_group_did_not_declare_is_refused() -> None:
    given(sample(1))
    before = in_database()
    with override_settings(BROKER_TOPOLOGY=f"{HERE}.too_few"):
        report = shadow_replay(group="exact", parts=parts())

    assert report.failed == 1
    assert "cannot execute INSERT in a read-only transaction" in str(report.differences[0].made)
    assert in_database() == before


def test_a_shadow_replay_holds_no_lock_that_others_wait_for() -> None:
    given(*(sample(n) for n in range(3)))

    def look(_: Any) -> None:
        broker_app.in_threads(write, 1)

    def write() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            cursor.execute("LOCK TABLE effect, broker_outboxmessage IN ACCESS EXCLUSIVE MODE")

    assert shadow_replay(group="exact", parts=parts(), on_progress=look).agree == 3


def test_a_group_that_declares_no_shadow_has_none() -> None:
    with pytest.raises(NoShadow, match="Group 'atmost' declares no shadow"):
        shadow_replay(group="atmost", parts=parts())


def test_the_command_resets_replays_and_compares_with_a_dry_run_first() -> None:
    given(*(sample(n) for n in range(4)))
    for verb in (["reset", "exact", "--to", "earliest"], ["range", "exact", "--from", "2"]):
        [row] = [row for row in json.loads(command(*verb, "--dry-run", "--json")) if row["partition"] == PARTITION]
        assert row.get("again", row.get("offsets")) in (4, 2)
    assert effects("exact") == [0, 1, 2, 3]

    assert "handled" in command("range", "exact", "--from", "2", "--until", "latest")
    assert effects("exact") == [0, 1, 2, 3, 2, 3]
    assert "again" in command("reset", "exact", "--to", "3", "--partition", str(PARTITION), "--actor", "ada")
    handle_all("exact")
    assert effects("exact") == [0, 1, 2, 3, 2, 3, 3]
    with pytest.raises(CommandError, match="There is no group 'exakt'"):
        command("shadow", "exakt")
    with pytest.raises(CommandError, match="has no time zone"):
        command("range", "exact", "--from", "2026-01-01T12:00")
