"""Where a running `make up` tells other commands of the same data folder how to reach its servers."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "servers.json"


@dataclass(frozen=True)
class RunningServers:
    """The addresses of embedded servers, each with its password; empty when none run. `pid` is their parent's."""

    database_url: str = ""
    redis_url: str = ""
    secret_key: str = ""
    pid: int = 0


def announce(data_dir: Path, *, database_url: str, redis_url: str, secret_key: str) -> None:
    """Write the file, readable by its owner alone."""
    servers = RunningServers(database_url, redis_url, secret_key, os.getpid())
    path = data_dir / FILE_NAME
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(servers)))


def running_servers(data_dir: Path) -> RunningServers:
    """What `announce` wrote in `data_dir`, or empty addresses if that run is over."""
    try:
        servers = RunningServers(**json.loads((data_dir / FILE_NAME).read_text()))
        os.kill(servers.pid, 0)
    except PermissionError:  # it lives, and belongs to another user
        return servers
    except (OSError, ValueError, TypeError):
        return RunningServers()
    return servers


def withdraw(data_dir: Path) -> None:
    """Remove the file."""
    (data_dir / FILE_NAME).unlink(missing_ok=True)
