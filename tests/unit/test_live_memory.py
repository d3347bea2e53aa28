"""A web process does not keep the memory that it needed for a moment."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from notifications.live import gateway
from notifications.live.memory import give_back

MIB_IN_PAGES = 256


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


class HubOfMoments:
    """Whether it is crowded, each time that it is asked."""

    def __init__(self) -> None:
        self._moments = [True, True, False, False, True, False]

    @property
    def is_crowded(self) -> bool:
        return self._moments.pop(0)


async def test_when_a_crowd_is_in_it_is_announced_no_more_and_what_it_took_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    monkeypatch.setattr(gateway, "ANNOUNCE_SECONDS", 0)
    monkeypatch.setattr(gateway, "APART_SECONDS", 0)
    monkeypatch.setattr(gateway, "announce", lambda: done.append("announced"))
    monkeypatch.setattr(gateway, "give_back", lambda: done.append("given back"))

    with pytest.raises(IndexError):
        await gateway.Gateway._watch_for_crowds(cast("gateway.Gateway", SimpleNamespace(hub=HubOfMoments())))

    assert done == ["announced", "announced", "given back", "announced", "given back"]
