"""Child processes that never outlive the one that started them."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # prctl(2), linux/prctl.h


def die_with_parent(parent: int, signal_number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process `signal_number` when the process `parent` dies, SIGKILL included.

    A parent that died before we could ask is noticed: then the signal is sent at once. Linux only; elsewhere it does
    nothing. The setting is cleared by a change of user, so call it after one. The "parent" is the *thread* that
    forked: start children from a thread that lives as long as the process.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)


def dying_with_parent(signal_number: int = signal.SIGKILL) -> Callable[[], None]:
    """A `preexec_fn` for `subprocess.Popen`, made by the parent, that calls `die_with_parent` in the child."""
    parent = os.getpid()
    return lambda: die_with_parent(parent, signal_number)
