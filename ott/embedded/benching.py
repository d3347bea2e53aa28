"""Benchmarks run on servers of their own, whatever else runs on this machine."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .errors import CannotStart
from .privileges import give_passage
from .stack import Stack

ON_STACK = "OTT_BENCH_ON_STACK"


def run_on_stack(arguments: Sequence[str]) -> int:
    """Run this program again, `arguments` and all, on the servers of a `Stack` in a temporary folder; its exit code.

    No process of the platform runs there: one that is idle would still take a tenth of the machine.
    """
    with tempfile.TemporaryDirectory(prefix="marquee-bench-") as name:
        give_passage(Path(name))
        try:
            with Stack(Path(name), processes=()) as stack:
                environment = {**stack.environment, ON_STACK: "1"}
                return subprocess.run([sys.executable, *arguments], env=environment, check=False).returncode
        except CannotStart as error:
            print(error, file=sys.stderr)
            return 1
