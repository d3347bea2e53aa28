"""The web process's event loop lets in more than one connection at a turn, and closes all its listeners."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ott.loop import AT_A_TURN, Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def test_a_crowd_is_let_in_many_at_a_turn_and_nobody_once_it_is_closed(loop: Loop) -> None:
    let_in: list[asyncio.BaseTransport] = []

    class Guest(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            let_in.append(transport)

    async def first_turn(port: int) -> int:
        """How many are let in at the first turn at which anybody is."""
        with ExitStack() as crowd:
            for _ in range(2 * AT_A_TURN):
                crowd.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            while not let_in:
                await asyncio.sleep(0)
            return len(let_in)

    server = loop.run_until_complete(loop.create_server(Guest, "127.0.0.1", 0, backlog=2 * AT_A_TURN))
    port = server.sockets[0].getsockname()[1]
    assert 1 < loop.run_until_complete(first_turn(port)) <= AT_A_TURN

    server.close()
    loop.run_until_complete(server.wait_closed())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
