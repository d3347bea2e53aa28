"""Run a server as an unprivileged user when we are root: PostgreSQL refuses to run as root.

Under a folder that only root may enter (a home with mode 0700, say) that user could reach neither the programs nor
the data, so there it is lent one capability, CAP_DAC_READ_SEARCH; no folder's mode is ever changed.
"""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from signal import Signals

from .errors import CannotStart

SETTING = "OTT_EMBEDDED_USER"
_REACH = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


class CannotDropPrivileges(CannotStart):
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


def server_command(command: list[str], death_signal: Signals, *, needs: Path) -> list[str]:
    """`command`; for root wrapped so that it runs unprivileged and can still enter `needs`.

    The wrapper repeats `death_signal`, which the change of user clears. Raises `CannotDropPrivileges`.
    """
    if os.geteuid() != 0:
        return command
    wrapper = _wrapper()
    if not _can_reach(wrapper, Path(command[0]), needs):
        wrapper += _REACH
        if not _can_reach(wrapper, Path(command[0]), needs):
            raise CannotDropPrivileges(
                f"Embedded servers must not run as root, and the user {_server_user().pw_name!r} can reach neither "
                f"their programs nor {needs}. Move the project out of folders that only root may enter, choose "
                f"another user with {SETTING}, or set DATABASE_URL and REDIS_URL."
            )
    return [*wrapper, "--pdeathsig", death_signal.name.removeprefix("SIG"), "--", *command]


def _wrapper() -> list[str]:
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise CannotDropPrivileges(
            "Embedded servers must not run as root, and the program setpriv (util-linux) is missing. "
            "Install it, run as another user, or set DATABASE_URL and REDIS_URL."
        )
    user = _server_user()
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _can_reach(wrapper: list[str], program: Path, folder: Path) -> bool:
    script = '[ -x "$1" ] && [ -x "$2" ]'
    probe = [*wrapper, "--", "sh", "-c", script, "sh", str(program), str(folder)]
    return subprocess.run(probe, cwd="/", capture_output=True, check=False).returncode == 0


def give_passage(folder: Path) -> None:
    """Let the servers' user walk through `folder`, which is ours; nobody may list it."""
    folder.chmod(0o711)
