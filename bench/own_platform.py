"""All processes of the platform, on the database that a benchmark says."""

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .broker_processes import process, wait_until
from .live_contenders import HOST, free_port, resident_kib

STOP_SECONDS = 10.0


@contextmanager
def own_platform(commands: Mapping[str, Sequence[str]], *, url: str) -> Iterator[int]:
    """The processes of `commands` on the database at `url`, ready; the port of the web process."""
    port = free_port()
    with ExitStack() as running:
        children = [
            running.enter_context(
                process(
                    *(part.format(port=port) for part in command[1:]),
                    url=url,
                    more={
                        "OTT_PROCESS": name,
                        "OTT_PORT": str(port),
                        "OTT_LOG_LEVEL": "WARNING",
                        "CELERY_SKIP_CHECKS": "1",
                    },
                )
            )
            for name, command in commands.items()
        ]
        try:
            wait_until(lambda: _is_ready(port))
            yield port
        finally:
            _stop(children)


def _is_ready(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5).close()
    except OSError:
        return False
    return True


def _stop(children: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Ask first: a worker ends its own children."""
    for child in children:
        child.terminate()
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)


def memory_of_workers(port: int) -> dict[int, int]:
    """KiB that each worker of the platform on that port holds, its children too, by process id."""
    wanted, memory = f"OTT_PORT={port}".encode(), {}
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            variables = environment.read_bytes().split(b"\0")
            if wanted in variables and any(one.startswith(b"OTT_PROCESS=worker") for one in variables):
                pid = int(environment.parent.name)
                memory[pid] = resident_kib(pid)
    return memory
