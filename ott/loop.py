"""The event loop of a web process: uvloop, which lets more than one connection in at a turn.

libuv, from 1.45 on, takes a single connection a turn from each listening socket. When turns are long, because there is
much to do, a crowd fills the kernel's queue, and pages wait behind it or are turned away. Named to uvicorn as
`--loop=ott.loop:Loop`.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Any, cast

import uvloop

AT_A_TURN = 64


class Listeners:
    """Several servers on one listening socket, as one; as much of `asyncio.Server` as uvicorn asks for."""

    def __init__(self, servers: Sequence[asyncio.Server]) -> None:
        self._servers = servers

    @property
    def sockets(self) -> Sequence[Any]:
        """The sockets that were asked for, without the copies."""
        return self._servers[0].sockets

    def close(self) -> None:
        """Let nobody in any more."""
        for server in self._servers:
            server.close()

    async def wait_closed(self) -> None:
        """Return when all are closed."""
        for server in self._servers:
            await server.wait_closed()


class Loop(uvloop.Loop):
    """uvloop's, with copies of each listening socket."""

    async def create_server(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        """As asyncio has it."""
        servers = [cast(asyncio.Server, await super().create_server(protocol_factory, *args, **options))]
        secure, backlog = options.get("ssl"), options.get("backlog", 100)
        for listening in [*servers[0].sockets] * (AT_A_TURN - 1):
            copy = socket.socket(listening.family, socket.SOCK_STREAM, fileno=os.dup(listening.fileno()))
            more = await super().create_server(protocol_factory, sock=copy, ssl=secure, backlog=backlog)
            servers.append(cast(asyncio.Server, more))
        return Listeners(servers)
