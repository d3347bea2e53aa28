"""Child processes that never outlive the one that started them."""

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # prctl(2), linux/prctl.h


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process `signal_number` when its parent dies, SIGKILL included.

    Linux only; elsewhere it does nothing. The setting is cleared by a change of user, so call it after one. The
    "parent" is the *thread* that forked: start children from a thread that lives as long as the process.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)


def dying_with_parent(signal_number: int = signal.SIGKILL) -> Callable[[], None]:
    """A `preexec_fn` for `subprocess.Popen` that calls `die_with_parent` in the child."""
    return lambda: die_with_parent(signal_number)
