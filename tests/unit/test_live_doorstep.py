"""A crowd that knocks at once is let in a few at a time, in its order."""

import asyncio
from functools import partial

from pytest_django import Settings

from notifications.live.doorstep import PAUSE_SECONDS, doorstep

A_FEW = 2


async def test_who_comes_alone_is_let_in_at_once() -> None:
    inside: list[str] = []

    doorstep(asyncio.get_running_loop()).knock(partial(inside.append, "somebody"))

    assert inside == ["somebody"]


async def test_a_crowd_is_let_in_a_few_at_a_time_in_its_order(settings: Settings) -> None:
    settings.LIVE_ADMISSIONS_PER_SECOND = A_FEW / PAUSE_SECONDS
    loop = asyncio.get_running_loop()
    inside: list[tuple[int, float]] = []

    # Given five who knock in the same moment
    for number in range(5):
        doorstep(loop).knock(lambda number=number: inside.append((number, loop.time())))  # type: ignore[misc]
    assert [number for number, _ in inside] == [0]

    # When there has been time for all
    while len(inside) < 5:
        await asyncio.sleep(PAUSE_SECONDS)

    # Then they came in by their order: one, and two after each pause
    assert [number for number, _ in inside] == [0, 1, 2, 3, 4]
    alone, *pairs = [moment for _, moment in inside]
    assert pairs[0] - alone > PAUSE_SECONDS / 2
    assert pairs[2] - pairs[1] > PAUSE_SECONDS / 2
