"""Ports on loopback."""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range that the kernel hands to outgoing connections (32768 and up on Linux): a client that retries a
# stopped server there can end up connected to itself, and so take the server's port.
_CHOICE = range(15_000, 32_000)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago. Raises `OSError` when there seems to be none."""
    for _ in range(100):
        port = random.choice(_CHOICE)  # noqa: S311 - not a secret
        if is_free(port):
            return port
    raise OSError("No free port was found on 127.0.0.1.")


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port`. Raises `OSError` if it may not be used at all."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            raise
        except OSError:
            return False
        return True
