"""A web process does not keep the memory that it needed for a moment."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from notifications.crowds import APART_SECONDS
from notifications.live import gateway
from notifications.live.memory import give_back

MIB_IN_PAGES = 2**20 // os.sysconf("SC_PAGE_SIZE")


def resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


def test_what_is_free_between_what_is_not_goes_back_to_the_system() -> None:
    taken = [bytearray(700) for _ in range(150_000)]  # too large for Python's own arenas
    kept = taken[::1000]
    del taken
    before = resident_pages()

    give_back()

    assert before - resident_pages() > 50 * MIB_IN_PAGES
    assert len(kept) == 150


class Moments:
    """A hub that is crowded or not, and a clock that says how late it is then, each time that the hub is asked."""

    def __init__(self, *moments: tuple[float, bool]) -> None:
        self._moments = list(moments)
        self.now = 0.0

    @property
    def is_crowded(self) -> bool:
        self.now, is_crowded = self._moments.pop(0)
        return is_crowded

    def monotonic(self) -> float:
        return self.now


async def test_some_seconds_after_a_crowd_is_in_what_its_coming_took_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = APART_SECONDS + 1
    moments = Moments((0, True), (1, True), (2, False), (later, False), (1 + later, False), (2 + later, False))
    done: list[tuple[str, float]] = []
    monkeypatch.setattr(gateway, "ANNOUNCE_SECONDS", 0)
    monkeypatch.setattr(gateway, "time", moments)
    monkeypatch.setattr(gateway, "announce", lambda: done.append(("announced", moments.now)))
    monkeypatch.setattr(gateway, "give_back", lambda: done.append(("given back", moments.now)))

    with pytest.raises(IndexError):
        await gateway.Gateway._watch_for_crowds(cast("gateway.Gateway", SimpleNamespace(hub=moments)))

    assert done == [("announced", 0), ("announced", 1), ("given back", 1 + later)]
