"""A whole platform under a program's control: for tests that kill processes, and for benchmarks."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from .errors import CannotStart
from .folder import held
from .platform import Platform
from .ports import LOOPBACK, free_port
from .processes import ProductProcess
from .readiness import unready
from .server import POLL_SECONDS

READY_SECONDS = 60.0


class LogFiles:
    """Each process's output in a file of its own, `<folder>/logs/<name>.log`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "logs"

    def open_for(self, name: str) -> int:
        """A file descriptor that appends to the log of `name`."""
        self._folder.mkdir(exist_ok=True)
        return os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def read(self, name: str) -> str:
        """What `name` has written so far."""
        path = self._path(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.log"


class Stack:
    """The platform on free ports, in `folder`. Nothing is started again by itself: that is up to the caller.

    Enter it from the main thread, as its processes die with the thread that started them. `environment` adds
    settings; `processes` names those to start (all: web, broker, worker, worker-media, worker-outbound, beat); `seed`
    fills in the demo content.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        processes: Sequence[str] | None = None,
        seed: bool = False,
        postgres_settings: dict[str, str] | None = None,
    ) -> None:
        self._names = processes
        self._seed = seed
        self._open = ExitStack()
        folder = folder.resolve()
        self._logs = LogFiles(folder)
        self._platform = Platform(
            folder,
            port=free_port(),
            output=self._logs,
            environment=environment,
            postgres_settings=postgres_settings,
        )

    # --- Addresses -------------------------------------------------------------------------------------------------
    @property
    def base_url(self) -> str:
        """Where the web process answers, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._platform.port}"

    @property
    def database_url(self) -> str:
        return self._platform.database_url

    @property
    def redis_url(self) -> str:
        return self._platform.redis_url

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the processes: for commands that are to work on this platform."""
        return self._platform.environment

    def log(self, name: str) -> str:
        """What the process `name` has written so far."""
        return self._logs.read(name)

    # --- The whole -------------------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.enter_context(held(self._platform.folder))
            undo.callback(self._platform.stop)
            self._platform.start_servers()
            self._prepare()
            self._platform.start_processes(self._names)
            if self._names is None:
                self.wait_until_ready()
            self._open = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _prepare(self) -> None:
        try:
            self._platform.prepare(seed=self._seed)
        except CannotStart as error:
            raise CannotStart(f"{error}\n{self.log('prepare')}") from None

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when /readyz is green. Raises `CannotStart` with what is missing."""
        deadline = time.monotonic() + seconds
        while missing := unready(self._platform.port):
            if time.monotonic() > deadline:
                raise CannotStart(f"Not ready after {seconds:g} s. {'; '.join(missing)}")
            time.sleep(POLL_SECONDS)

    # --- Single processes ------------------------------------------------------------------------------------------
    def pids(self, name: str) -> list[int]:
        """The process ids of `name`: the main process first, then its children and theirs; empty if it is stopped."""
        process = self._process(name).process
        return [] if process is None or process.poll() is not None else [process.pid, *_descendants(process.pid)]

    def kill(self, name: str) -> None:
        """`kill -9` the main process of `name`."""
        self._process(name).kill()

    def start(self, name: str) -> None:
        """Start `name` again."""
        self._platform.spawn(self._process(name))

    def stop(self, name: str) -> None:
        """Stop `name` cleanly."""
        self._process(name).stop()

    def _process(self, name: str) -> ProductProcess:
        return next(process for process in self._platform.processes if process.name == name)

    # --- Servers ---------------------------------------------------------------------------------------------------
    def kill_postgres(self) -> None:
        """`kill -9` PostgreSQL."""
        self._platform.postgres.kill()

    def start_postgres(self) -> None:
        """Start PostgreSQL again, on the same port and data; returns when it answers."""
        self._platform.postgres.start()

    def kill_valkey(self) -> None:
        """`kill -9` Valkey."""
        self._platform.valkey.kill()

    def start_valkey(self) -> None:
        """Start Valkey again, on the same port and data; returns when it answers."""
        self._platform.valkey.start()


def _children(pid: int) -> list[int]:
    return [child for child, parent in _parents().items() if parent == pid]


def _descendants(pid: int) -> list[int]:
    return [found for child in _children(pid) for found in (child, *_descendants(child))]


def _parents() -> dict[int, int]:
    """Every process's parent, from /proc."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # "pid (name) state parent …", where the name may hold anything, parentheses too: proc(5)
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    return parents
