"""The data folder: made if missing, held by one run at a time, with the secrets that belong to it."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import CannotStart

LOCK_FILE = "lock"


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """Make `folder` if it is missing and hold it against other runs. Raises `CannotStart`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Opened for appending: another run's process id must survive our attempt.
        lock = (folder / LOCK_FILE).open("a+")
    except OSError as error:
        raise CannotStart(
            f"The data folder {folder} cannot be written ({error.strerror}). "
            "Give this user the right to write there, or choose another folder with OTT_DATA_DIR."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotStart(
                f"The data folder {folder} is in use by another run (process {lock.read().strip() or 'unknown'}). "
                "Stop that one, or choose another folder with OTT_DATA_DIR."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield folder


def kept_secret(path: Path) -> str:
    """The secret in the file `path`, drawn the first time and readable by its owner alone."""
    if not path.exists() or not path.read_text():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()
