"""Nothing in the broker is decided by this machine's wall clock, so that setting it back or ahead does no harm.

Leases, retries and expiry go by the database's clock, pauses within a process by the monotonic one.
"""

import ast
from pathlib import Path

import broker

WALL_CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "timezone.now"}
# A message says when its publisher made it, by the publisher's clock. Nothing is decided by that.
ALLOWED = {"messages.py": {"datetime.now"}}


def wall_clocks_read_in(source: str) -> set[str]:
    called = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {ast.unparse(function) for function in called} & WALL_CLOCKS


def test_the_search_finds_them() -> None:
    assert wall_clocks_read_in("x = time.time() - datetime.now(UTC).timestamp()") == {"time.time", "datetime.now"}


def test_no_code_of_the_broker_reads_the_wall_clock() -> None:
    folder = Path(broker.__file__).parent
    found = {
        str(path.relative_to(folder)): read
        for path in folder.rglob("*.py")
        if (read := wall_clocks_read_in(path.read_text()))
    }
    assert found == ALLOWED
