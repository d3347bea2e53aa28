"""The whole platform in one data folder: servers, database, processes. Shared by `make up` and by `Stack`."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from . import discovery
from .child import Child
from .errors import CannotStart
from .folder import kept_secret
from .postgres import EmbeddedPostgres
from .prepared import is_prepared
from .processes import PREPARE, ProductProcess, product_processes
from .server import POLL_SECONDS, EmbeddedServer, Sleep
from .valkey import EmbeddedValkey

PROCESSES_STOP_SECONDS, SERVERS_STOP_SECONDS = 6.0, 3.0
ADDRESSES = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")


class Output(Protocol):
    """Where the processes' output goes."""

    def open_for(self, name: str) -> int:
        """A file descriptor for the output of the process `name`; whoever asked closes it."""


class Platform:
    """Servers and processes in `folder`, which the caller holds (`folder.held`).

    `given` holds the addresses of servers that run already, by the setting's name; for those nothing is started.
    `sleep` is called wherever something is waited for, and may raise to give up.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        output: Output,
        given: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        postgres_settings: dict[str, str] | None = None,
        sleep: Sleep = time.sleep,
    ) -> None:
        self.folder = folder
        self.port = port
        self.given = dict(given or {})
        self.postgres = EmbeddedPostgres(folder / "postgres", settings=postgres_settings)
        self.valkey = EmbeddedValkey(folder / "valkey")
        self.processes: list[ProductProcess] = []
        self._extra = dict(environment or {})
        self._output = output
        self._sleep = sleep

    @property
    def servers(self) -> list[EmbeddedServer]:
        """The embedded servers that this platform needs."""
        wanted = {"DATABASE_URL": self.postgres, "REDIS_URL": self.valkey}
        return [server for name, server in wanted.items() if name not in self.given]

    @property
    def database_url(self) -> str:
        return self.given.get("DATABASE_URL") or self.postgres.url

    @property
    def redis_url(self) -> str:
        return self.given.get("REDIS_URL") or self.valkey.url

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find everything."""
        inherited = {name: value for name, value in os.environ.items() if name not in ADDRESSES}
        return {
            "OTT_SECRET_KEY": kept_secret(self.folder / "secret_key"),
            **inherited,
            **self.given,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "OTT_DATA_DIR": str(self.folder),
            "OTT_PORT": str(self.port),
            **self._extra,
        }

    def start_servers(self) -> None:
        """Start the embedded servers and tell other commands of this folder about them."""
        for server in self.servers:
            server.spawn()
        for server in self.servers:
            server.wait_until_ready(self._sleep)
        discovery.announce(
            self.folder,
            database_url=self.postgres.url if self.postgres in self.servers else "",
            redis_url=self.valkey.url if self.valkey in self.servers else "",
            secret_key=self.environment["OTT_SECRET_KEY"],
        )

    def is_prepared(self, *, seed: bool) -> bool:
        """Whether an earlier run did what `prepare` does; servers that were given are always looked at."""
        key = self.environment["OTT_SECRET_KEY"]
        return not self.given and is_prepared(self.database_url, secret_key=key, seed=seed)

    def prepare(self, *, seed: bool) -> None:
        """Migrate the database, and fill it with the demo content once. Raises `CannotStart`."""
        command = (*PREPARE, "--seed") if seed else PREPARE
        process = ProductProcess("prepare", command, self.environment)
        self.processes = [process]
        self.spawn(process)
        while process.is_running:
            self._sleep(POLL_SECONDS)
        self._sleep(0)
        if process.process is None or process.process.returncode:
            raise CannotStart("The database could not be prepared; the lines above say why.")

    def start_processes(self, names: Sequence[str] | None = None) -> None:
        """Start the product's processes, or those in `names`."""
        every = product_processes(port=self.port, environment=self.environment)
        self.processes = [process for process in every if names is None or process.name in names]
        for process in self.processes:
            self.spawn(process)

    def spawn(self, process: ProductProcess) -> None:
        """Start (again) one of the processes, with its output connected."""
        output = self._output.open_for(process.name)
        try:
            process.spawn(output)
        finally:
            os.close(output)

    def stop(self, sleep: Sleep = time.sleep) -> None:
        """Stop everything within ten seconds, servers last; kill what does not obey."""
        _stop(self.processes, PROCESSES_STOP_SECONDS, sleep)
        _stop(self.servers, SERVERS_STOP_SECONDS, sleep)
        discovery.withdraw(self.folder)


def _stop(children: Sequence[Child], seconds: float, sleep: Sleep) -> None:
    deadline = time.monotonic() + seconds
    for child in children:
        child.ask_to_stop()
    while any(child.is_running for child in children) and time.monotonic() < deadline:
        sleep(POLL_SECONDS)
    for child in children:
        if child.is_running:
            child.kill()
