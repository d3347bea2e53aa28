"""Stamps on real messages: a follow-up comes after its cause, whatever the clock of the process that handles it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import logical_clock
from broker.logical_clock import HybridClock
from broker.models import OutboxMessage
from tests.support import broker_app
from tests.support.broker_app import drain, publish_now, sample


@pytest.fixture(autouse=True)
def _small_app(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    with broker_app.installed(tmp_path):
        yield


def stamps() -> list[str]:
    return list(OutboxMessage.objects.order_by("id").values_list("body__hlc", flat=True))


def test_messages_of_a_process_are_stamped_in_the_order_in_which_it_publishes() -> None:
    publish_now(*(sample(n, key=f"sample:{n}") for n in range(5)))

    assert stamps() == sorted(set(stamps()))


def test_a_follow_up_is_stamped_after_its_cause_by_a_process_whose_clock_is_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish_now(sample(follow=True))
    # Given that another process handles it, whose clock shows an hour ago
    an_hour_ago = logical_clock.wall_ms() - 3_600_000 + 60_000
    monkeypatch.setattr(logical_clock, "clock", HybridClock(lambda: an_hour_ago))

    drain()

    cause, effect = stamps()
    assert cause < effect


def test_what_was_not_handled_here_is_not_known_here(monkeypatch: pytest.MonkeyPatch) -> None:
    publish_now(sample(1))
    monkeypatch.setattr(logical_clock, "clock", HybridClock(lambda: logical_clock.wall_ms() - 60_000))
    publish_now(sample(2))

    # One key: the broker keeps the order of their commits, the stamps do not
    first, second = stamps()
    assert second < first
    drain()
    assert broker_app.effects("exact") == [1, 2]
