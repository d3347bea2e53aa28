"""uvicorn's WebSocket protocol, taught to write frames that are encoded already.

Named to uvicorn as `--ws=notifications.live.server:FramesProtocol`. It offers the ASGI extension `marquee.frames` in
the scope; with any other server the live socket uses `websocket.send`. See `outlets.py`, which knows both.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import OPEN

from .frames import Outgoing

EXTENSION = "marquee.frames"
DISCARD_SECONDS = 2.0  # for which the rest of a message that is too long is read and thrown away
WRITE_AHEAD_BYTES = 64 * 1024  # in the transport; what is more waits in the connection, where it is counted


class FramesProtocol(WebSocketsSansIOProtocol):
    """One connection, and an `Outlet`: `write` needs no coroutine, no task and no second encoding."""

    _on_ready: Callable[[], None] | None = None
    _farewell: Callable[[], None] | None = None

    def handle_connect(self, event: Request) -> None:
        """Offer the extension to the application, whose task was made by now and has not begun."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][EXTENSION] = {"outlet": self}

    # --- the extension: an `Outlet` -------------------------------------------------------------------------------
    def write(self, outgoing: Outgoing) -> bool:
        """Write frames, unless the transport is full. A connection that is ending takes it and sends nothing."""
        if not self.writable.is_set() or self.transport.get_write_buffer_size() >= WRITE_AHEAD_BYTES:
            return False
        if self.conn.state is OPEN and not self.close_sent and not self.disconnected:
            self.transport.write(outgoing.wire)
        return True

    def call_when_ready(self, callback: Callable[[], None]) -> None:
        """Call back, once, when the transport may take more."""
        self._on_ready = callback
        if self.writable.is_set():  # full by our own measure: the transport has not noticed, and will not call
            self.loop.call_soon(self._tell_ready)

    def call_on_shutdown(self, farewell: Callable[[], None]) -> None:
        """Leave the goodbye to the application when the server is told to end."""
        self._farewell = farewell

    def stop(self) -> None:
        """Nothing runs that would have to be stopped."""

    def cut(self, seconds: float) -> None:
        """End the TCP connection then, whatever the client has not read."""
        self.loop.call_later(seconds, self.transport.abort)

    # --- what uvicorn calls ----------------------------------------------------------------------------------------
    def resume_writing(self) -> None:
        """The transport has room again."""
        super().resume_writing()
        self._tell_ready()

    def _tell_ready(self) -> None:
        callback, self._on_ready = self._on_ready, None
        if callback is not None:
            callback()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget who waits, so that nothing keeps the connection alive."""
        self._on_ready = self._farewell = None
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends: leave the farewell to the application, which knows when the client is to come back."""
        if self._farewell is None:
            super().shutdown()
        else:
            self._farewell()

    def handle_parser_exception(self) -> None:
        """Say why, then wait for the client to close.

        uvicorn closes at once; with unread bytes in the socket that is a TCP reset, which overtakes the close frame.
        """
        if self.close_sent:
            return  # what still comes is passed over
        received = cast("asyncio.Queue[dict[str, object]]", self.queue)
        closing = self.conn.close_sent
        code, reason = (closing.code, closing.reason) if closing is not None else (1002, "")
        received.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()  # a client waits for the end of the connection, not for that of the WebSocket
        self.close_sent = True
        self.close_timer = self.loop.call_later(DISCARD_SECONDS, self.transport.abort)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
