"""`python -m ott.embedded exec -- COMMAND`: run COMMAND against temporary embedded servers."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .postgres import EmbeddedPostgres
from .valkey import EmbeddedValkey


def run_with_temporary_servers(command: list[str]) -> int:
    """Run `command` with `DATABASE_URL` and `REDIS_URL` of servers that live as long as it does."""
    with tempfile.TemporaryDirectory(prefix="marquee-") as folder:
        os.chmod(folder, 0o711)  # ours: the server's user passes through it
        postgres = EmbeddedPostgres(Path(folder) / "postgres", settings={"fsync": "off"})
        with postgres, EmbeddedValkey(Path(folder) / "valkey") as valkey:
            environment = {**os.environ, "DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}
            return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(run_with_temporary_servers(sys.argv[sys.argv.index("--") + 1 :]))
