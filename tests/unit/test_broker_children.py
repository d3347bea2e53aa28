"""Children that must not outlive who started them, however early it dies."""

import subprocess
import sys
from pathlib import Path

import pytest

LATE = """
import os, time
from broker.processes import die_with_parent

parent = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.01)
die_with_parent(parent)
print("alive", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_child_whose_parent_is_dead_before_it_asks_dies_at_once() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LATE], cwd=Path(__file__).parents[2], capture_output=True, check=True, timeout=20
    )

    assert (ended.stdout, ended.stderr) == (b"", b"")
