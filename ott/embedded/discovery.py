"""Where a running `make up` tells other commands of the same data folder how to reach its servers."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "servers.json"


@dataclass(frozen=True)
class RunningServers:
    """The addresses of embedded servers, each with its password; empty when none run."""

    database_url: str = ""
    redis_url: str = ""
    secret_key: str = ""


def announce(data_dir: Path, servers: RunningServers) -> None:
    """Write the file, readable by its owner alone."""
    path = data_dir / FILE_NAME
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(servers)))


def running_servers(data_dir: Path) -> RunningServers:
    """What `announce` wrote in `data_dir`, or empty addresses."""
    try:
        return RunningServers(**json.loads((data_dir / FILE_NAME).read_text()))
    except (OSError, ValueError, TypeError):
        return RunningServers()


def withdraw(data_dir: Path) -> None:
    """Remove the file."""
    (data_dir / FILE_NAME).unlink(missing_ok=True)
