"""RabbitMQ for tests and benchmarks: a node of its own in a folder, on loopback, that leaves no process behind."""

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from signal import Signals

from .child import Child
from .folder import kept_secret
from .ports import LOOPBACK, free_port
from .privileges import give_to_server_user, server_command
from .server import EmbeddedServer

# Debian's /usr/sbin/rabbitmq-server insists on the system's own folders and user; the script below it does not.
_SCRIPTS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
_HELLO = b"AMQP\x00\x00\x09\x01"
_USER = "marquee"


def is_installed() -> bool:
    """Whether this machine has RabbitMQ: the package rabbitmq-server."""
    return bool(_program(*_SCRIPTS) and _program("epmd"))


def _program(*names: str) -> str:
    """The first of these programs that is installed; empty when none is."""
    return next(filter(None, map(shutil.which, names)), "")


class _PortMapper(Child):
    """Erlang's epmd, which a node would otherwise start for itself and leave running for ever."""

    name = "epmd"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()

    def command(self) -> list[str]:
        program = [_program("epmd"), "-port", str(self.port), "-address", LOOPBACK]
        return server_command(program, self.death_signal, needs=self._folder)

    def spawn(self, output: int) -> None:
        """Start it, writing to the file descriptor `output`."""
        self._launch(output, folder=Path("/"))


class RabbitMQ(EmbeddedServer):
    """A running node with a user of its own; `url` is its AMQP 0-9-1 address."""

    name = "RabbitMQ"
    stop_signal = Signals.SIGTERM

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._mapper = _PortMapper(self.folder)
        self._distribution_port = free_port()

    @property
    def _password(self) -> str:
        return kept_secret(self.folder / "password")

    @property
    def url(self) -> str:
        """`amqp://…`, with the default virtual host."""
        return f"amqp://{_USER}:{self._password}@{LOOPBACK}:{self.port}/"

    @property
    def working_folder(self) -> Path:
        return self.folder / "node"

    def prepare(self) -> None:
        self.working_folder.mkdir(parents=True, exist_ok=True)
        give_to_server_user(self.working_folder)
        if not self._mapper.is_running:
            with self.log_file.open("ab") as log:
                self._mapper.spawn(log.fileno())

    def command(self) -> list[str]:
        settings = [f"{name}={value}" for name, value in self._environment().items()]
        program = ["/usr/bin/env", f"--chdir={self.working_folder}", *settings, _program(*_SCRIPTS)]
        return server_command(program, self.death_signal, needs=self.working_folder)

    def _environment(self) -> Mapping[str, object]:
        return {
            "HOME": self.working_folder,  # where the cookie is drawn
            "ERL_EPMD_PORT": self._mapper.port,
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_CONF_ENV_FILE": self.folder / "none",
            "RABBITMQ_CONFIG_FILE": self._write_config(),
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "no-plugins",
            "RABBITMQ_NODENAME": f"marquee{self.port}@localhost",
            "RABBITMQ_DIST_PORT": self._distribution_port,
            "RABBITMQ_MNESIA_BASE": self.working_folder,
            "RABBITMQ_LOG_BASE": self.working_folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "detached": "yes",  # the script becomes the node, so that a signal to it reaches the node
        }

    def _write_config(self) -> Path:
        path = self.folder / "rabbitmq.conf"
        path.touch(mode=0o600)
        path.write_text(
            f"listeners.tcp.default = {LOOPBACK}:{self.port}\n"
            f"default_user = {_USER}\ndefault_pass = {self._password}\n"
            "loopback_users = none\nlog.console = true\nlog.console.level = warning\n"
        )
        give_to_server_user(path)
        return path

    def is_ready(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as probe:
                probe.sendall(_HELLO)
                return bool(probe.recv(1))
        except OSError:
            return False

    def stop(self) -> None:
        super().stop()
        self._mapper.kill()
