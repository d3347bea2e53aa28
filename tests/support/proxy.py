"""A TCP proxy that a test can cut, hold back or take away, to see what a client makes of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ott.embedded.ports import LOOPBACK, free_port

_CHUNK = 16 * 1024


class Proxy:
    """Passes on what arrives at `port` to another port of loopback, both ways."""

    def __init__(self, target: int = 0) -> None:
        self.target, self.port = target, free_port()
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._left: int | None = None  # bytes that may still go to the server

    def open(self) -> None:
        """Listen."""
        self._listener = socket.create_server((LOOPBACK, self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Refuse new connections and cut those that there are, as a server that is down would."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut()

    def cut(self) -> None:
        """Break every connection; new ones are let through."""
        with self._lock:
            cut, self._open = self._open, set()
            self._left = None
        for each in cut:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def cut_after(self, sent: int) -> None:
        """Break every connection once the clients have sent so many bytes more, all together."""
        with self._lock:
            self._left = sent

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection((LOOPBACK, self.target))
            except OSError:
                if listener.fileno() == -1:
                    return
                with suppress(UnboundLocalError):
                    client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            for source, sink, counts in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass_on, args=(source, sink, counts), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if counts and not self._may_pass(len(data)):
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _may_pass(self, count: int) -> bool:
        with self._lock:
            if self._left is None:
                return True
            self._left -= count
            is_over = self._left <= 0
        if is_over:
            self.cut()
        return not is_over


@contextmanager
def proxy_to(target: int) -> Iterator[Proxy]:
    """A proxy for as long as the block runs."""
    proxy = Proxy(target)
    proxy.open()
    try:
        yield proxy
    finally:
        proxy.close()
