"""Run a server as an unprivileged user when we are root: PostgreSQL refuses to run as root.

Under a folder that only root may enter (a home with mode 0700, say) that user could reach neither the programs nor
the data, so it is lent one capability, CAP_DAC_READ_SEARCH; no folder's mode is ever changed.
"""

import os
import pwd
import shutil
import signal
import sys
from pathlib import Path

SETTING = "OTT_EMBEDDED_USER"


class CannotDropPrivileges(Exception):
    """The server must not run as root, and no way to run it as somebody else was found."""


def _server_user() -> pwd.struct_passwd:
    name = os.environ.get(SETTING, "nobody")
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise CannotDropPrivileges(
            f"Embedded servers must not run as root, and there is no user {name!r}. "
            f"Set {SETTING} to an unprivileged user of this machine, or set DATABASE_URL and REDIS_URL."
        ) from None


def give_to_server_user(path: Path) -> None:
    """Make `path` belong to the user that the servers run as; nothing to do unless we are root."""
    if os.geteuid() == 0:
        user = _server_user()
        os.chown(path, user.pw_uid, user.pw_gid)


def give_passage(folder: Path) -> None:
    """Let the servers' user walk through `folder`, which is ours; nobody may list it."""
    folder.chmod(0o711)  # noqa: S103 - execute is the point


def server_command(command: list[str], death_signal: signal.Signals | None = signal.SIGINT) -> list[str]:
    """`command`, wrapped so that it runs unprivileged and, on Linux, gets `death_signal` when we die.

    Raises `CannotDropPrivileges` when we are root and `setpriv` (util-linux) is missing.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    wrapped = [setpriv] if setpriv else []
    if os.geteuid() == 0:
        if not setpriv:
            raise CannotDropPrivileges(
                "Embedded servers must not run as root, and the program setpriv (util-linux) is missing. "
                "Install it, run as another user, or set DATABASE_URL and REDIS_URL."
            )
        user = _server_user()
        wrapped += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        wrapped += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    if setpriv and death_signal:
        # setpriv sets it after the change of user, which would clear it.
        wrapped += ["--pdeathsig", death_signal.name.removeprefix("SIG")]
    return [*wrapped, "--", *command] if len(wrapped) > 1 else command
