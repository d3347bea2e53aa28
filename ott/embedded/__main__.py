"""`python -m ott.embedded exec -- COMMAND`: run COMMAND against temporary embedded servers."""

import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from .postgres import EmbeddedPostgres
from .privileges import give_passage
from .valkey import EmbeddedValkey


def run_with_temporary_servers(command: list[str]) -> int:
    """Run `command` with servers, a data folder and a secret key that live as long as it does."""
    with tempfile.TemporaryDirectory(prefix="marquee-") as name:
        folder = Path(name)
        give_passage(folder)
        postgres = EmbeddedPostgres(folder / "postgres", settings={"fsync": "off"})
        with postgres, EmbeddedValkey(folder / "valkey") as valkey:
            environment = {
                **os.environ,
                "DATABASE_URL": postgres.url,
                "REDIS_URL": valkey.url,
                "OTT_DATA_DIR": name,
                "OTT_SECRET_KEY": secrets.token_urlsafe(48),
            }
            return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(run_with_temporary_servers(sys.argv[sys.argv.index("--") + 1 :]))
