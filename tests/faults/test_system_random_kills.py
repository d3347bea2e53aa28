"""Random kills of random processes while releases are published; then nobody misses anything, nobody gets it twice.

`make soak` runs many more; `OTT_SEED` repeats a run.
"""

import os
import random

import pytest

from tests.support.system import System, assert_exactly_once

IS_SOAK = bool(os.environ.get("OTT_SOAK"))
RELEASES = 400 if IS_SOAK else 24
KILL_EACH = 4  # releases, on average
SEED = int(os.environ.get("OTT_SEED", "20260101"))
VICTIMS = ("broker", "worker", "web", "beat", "postgres", "valkey")


def kill(system: System, victim: str) -> None:
    """`kill -9` one process, and start it again at once, as a supervisor does."""
    match victim:
        case "postgres":
            system.stack.kill_postgres()
            system.stack.start_postgres()
        case "valkey":
            system.stack.kill_valkey()
            system.stack.start_valkey()
        case _:
            system.stack.kill(victim)
            system.stack.start(victim)


def test_random_kills_lose_and_double_nothing(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(SEED)
    viewers = [system.viewer(topics=("category:movies", "studio:aurora")) for _ in range(3)]
    drafts = {headline: system.draft(headline) for headline in (f"Release {number:04}." for number in range(RELEASES))}
    kills = 0
    with system.live(viewers[0]) as first, system.live(viewers[1]) as second:
        for draft in drafts.values():
            if chance.randrange(KILL_EACH) == 0:
                kill(system, chance.choice(VICTIMS))
                kills += 1
            system.restart_the_ended()
            system.publish(draft)
        system.restart_the_ended()
        for token, client in ((viewers[0], first), (viewers[1], second)):
            assert_exactly_once(system, client, token, list(drafts))
    offline = system.inbox(viewers[2])
    assert len(offline) == len({entry["id"] for entry in offline}) == RELEASES
    with capsys.disabled():
        print(f"\n  random kills: seed {SEED}, {RELEASES} releases, {kills} kills")
