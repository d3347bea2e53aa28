"""A crowd that knocks at once is let in a few at a time, in its order."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast

import pytest
from pytest_django import Settings

from notifications.live.doorstep import MADE_UP_SECONDS, PAUSE_SECONDS, Doorstep, doorstep

A_FEW = 2


class LoopByHand:
    """As much of an event loop as a doorstep needs; its time passes when a test says so."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self._now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        self._due.append((self._now + seconds, callback))

    def turn_after(self, seconds: float) -> None:
        """One turn of the loop, so long after the last."""
        self._now += seconds
        due = [callback for moment, callback in self._due if moment <= self._now]
        self._due = [(moment, callback) for moment, callback in self._due if moment > self._now]
        for callback in due:
            callback()


@pytest.fixture
def loop() -> LoopByHand:
    return LoopByHand()


@pytest.fixture
def step(loop: LoopByHand, settings: Settings) -> Doorstep:
    settings.LIVE_ADMISSIONS_PER_SECOND = A_FEW / PAUSE_SECONDS
    return Doorstep(cast(asyncio.AbstractEventLoop, loop))


async def test_who_comes_alone_is_let_in_at_once() -> None:
    inside: list[str] = []

    doorstep(asyncio.get_running_loop()).knock(partial(inside.append, "somebody"))

    assert inside == ["somebody"]


def test_a_crowd_is_let_in_a_few_at_a_time_in_its_order(loop: LoopByHand, step: Doorstep) -> None:
    inside: list[int] = []

    # Given five who knock in the same moment
    for number in range(5):
        step.knock(partial(inside.append, number))
    assert inside == [0]

    # When one pause is over after the other
    counts = []
    for _ in range(3):
        loop.turn_after(PAUSE_SECONDS)
        counts.append(len(inside))

    # Then fewer have come in after the first, as more had knocked, and two after each of the others, by their order
    assert counts == [2, 4, 5]
    assert inside == [0, 1, 2, 3, 4]


def test_a_turn_that_is_late_lets_in_those_whose_turn_has_passed_but_never_all_at_once(
    loop: LoopByHand, step: Doorstep
) -> None:
    inside: list[int] = []
    for number in range(100):
        step.knock(partial(inside.append, number))
    loop.turn_after(PAUSE_SECONDS)
    before = len(inside)

    loop.turn_after(2 * PAUSE_SECONDS)
    assert len(inside) == before + 2 * A_FEW

    loop.turn_after(1.0)
    assert len(inside) == before + 2 * A_FEW + A_FEW * MADE_UP_SECONDS / PAUSE_SECONDS
