"""When the supervisor starts something again, and what it says about it."""

import os
from collections.abc import Iterator

import pytest

from ott.embedded.console import Console
from ott.embedded.processes import ProductProcess
from ott.embedded.supervisor import LONGEST_PAUSE, STEADY_SECONDS, Watched


@pytest.fixture
def null() -> Iterator[int]:
    """A file descriptor for output that nobody reads."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


def await_end(watched: Watched) -> None:
    """Wait until the watched process has ended."""
    assert watched.child.process is not None
    watched.child.process.wait()


def crashing(null: int) -> Watched:
    """Something that ends with exit code 3 as soon as it is started, at the time 0."""
    process = ProductProcess("thing", ("sh", "-c", "exit 3"), os.environ)
    watched = Watched(process, lambda: process.spawn(null), started_at=0.0)
    watched.spawn()
    await_end(watched)
    return watched


def test_what_ended_is_started_again_after_a_pause(null: int) -> None:
    watched = crashing(null)

    assert watched.look(1.0) == "thing ended (exit code 3); starting it again in 0.5 s."
    assert watched.look(1.4) == ""
    first = watched.child.process
    watched.look(1.5)
    await_end(watched)

    assert watched.child.process is not first


def test_the_pause_grows_and_a_loop_of_crashes_is_said(null: int) -> None:
    watched, now, said = crashing(null), 0.0, []
    for _ in range(7):
        said.append(watched.look(now))
        assert watched.again_at is not None
        now = watched.again_at
        watched.look(now)
        await_end(watched)

    assert f"again in {LONGEST_PAUSE:g} s" in said[-1]
    assert "4 times in a row" in said[3]
    assert "in a row" not in said[2]


def test_what_ran_for_a_while_has_recovered(null: int) -> None:
    watched = crashing(null)
    watched.crashes = 5

    assert "again in 0.5 s" in watched.look(STEADY_SECONDS + 1)


def test_the_console_prints_whole_lines_under_the_name_of_their_process(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    writer = console.open_for("web")

    os.write(writer, b"one\ntw")
    console.pump(0)
    os.write(writer, b"o\nlast, unfinished")
    os.close(writer)
    console.pump(0)
    console.pump(0)

    assert capsys.readouterr().out.splitlines() == [
        "web             | one",
        "web             | two",
        "web             | last, unfinished",
    ]
