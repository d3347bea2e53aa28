"""Requests at the door of a web process, byte by byte: pages are served at once, sockets wait for their turn."""

import socket
from collections.abc import Iterator

import pytest

from accounts.models import User

from .live_support import LiveServer, bearer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def connection(live_web: LiveServer) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", live_web.port), timeout=10) as opened:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield opened


def handshake(user: User) -> bytes:
    """What asks for a live socket."""
    headers = {"Host": "127.0.0.1", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **bearer(user)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET /ws/live/ HTTP/1.1\r\n{lines}\r\n".encode()


def hears(connection: socket.socket, what: bytes) -> bytes:
    """All that comes, until `what` has come."""
    heard = b""
    while what not in heard:
        more = connection.recv(4096)
        assert more, heard
        heard += more
    return heard


def test_a_handshake_that_comes_in_pieces_is_taken(connection: socket.socket, subscriber: User) -> None:
    request = handshake(subscriber)

    for start in range(0, len(request), 40):
        connection.sendall(request[start : start + 40])

    hears(connection, b"HTTP/1.1 101 ")


def test_a_page_is_served_before_and_a_socket_opened_after_on_one_connection(
    connection: socket.socket, subscriber: User
) -> None:
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    hears(connection, b"HTTP/1.1 200 ")

    connection.sendall(handshake(subscriber))

    hears(connection, b"HTTP/1.1 101 ")


@pytest.mark.parametrize("path", ["/healthz", "/ws/live/"])
def test_a_head_without_an_end_is_refused_instead_of_being_kept(connection: socket.socket, path: str) -> None:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode())
    for _ in range(65):  # the last of them is too much
        connection.sendall(b"X-Padding: " + b"x" * 1000 + b"\r\n")

    assert hears(connection, b"The request's head is too long.").startswith(b"HTTP/1.1 400 ")


def test_a_long_body_is_no_long_head(connection: socket.socket) -> None:
    body = b"x" * 200_000
    head = f"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    connection.sendall(head + body)

    assert not hears(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")
