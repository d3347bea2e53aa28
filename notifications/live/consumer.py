"""The socket at `/ws/live/`: one coroutine that reads a client's frames; what is sent needs none.

A plain ASGI application rather than a Channels consumer: that would open a channel of its own, or hop through a
thread, for every frame. The one channel of this process belongs to the gateway.
"""

import asyncio
import logging
import time

from django.conf import settings

from notifications.insight.models import Stage
from notifications.insight.tally import tally
from notifications.queries import ReadNews, states_of, visible_among
from notifications.read_commands import dismiss, mark_read, mark_unread, restore

from . import metrics
from .auth import Receive, Scope, Send
from .connection import Connection, Identity
from .door import Door, Refused
from .frames import Frame
from .gateway import gateway
from .outlets import outlet_for
from .protocol import (
    Ack,
    BadFrame,
    Close,
    DismissRequest,
    ErrorFrame,
    ItemRequest,
    Pong,
    ReadNotice,
    ReadRequest,
    RestoreRequest,
    Resume,
    UnreadRequest,
    parse,
)
from .threads import in_thread

logger = logging.getLogger(__name__)


async def live_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one client until it leaves, or has to."""
    await receive()  # websocket.connect
    door = gateway().door
    try:
        with door.place():
            identity = await _identify(door, scope)
            with door.place_of(identity.viewer_id):
                await send({"type": "websocket.accept"})
                await _serve(scope, identity, receive, send)
    except Refused as refused:
        await _refuse(send, refused)


async def _identify(door: Door, scope: Scope) -> Identity:
    try:
        return await door.identify(scope)
    except Refused:
        raise
    except Exception as error:
        logger.warning("A socket could not be authenticated", exc_info=True)
        raise Refused(Close.TRY_AGAIN, "failed") from error


async def _refuse(send: Send, refused: Refused) -> None:
    """Accept and close: a browser's script is told the code of an open socket only."""
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(refused.code), "reason": refused.reason})


async def _serve(scope: Scope, identity: Identity, receive: Receive, send: Send) -> None:
    hub = gateway().hub
    outlet = outlet_for(scope, send)
    connection = Connection(identity, outlet)
    outlet.call_on_shutdown(lambda: gateway().send_away(connection))
    hub.join(connection)
    try:
        await _read_all(connection, receive)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not connection.is_closing or task is None:
            raise
        task.uncancel()  # it was `Connection.close` that ended the reading
    finally:
        hub.leave(connection)
    await connection.say_goodbye(send)


async def _read_all(connection: Connection, receive: Receive) -> None:
    """Handle the client's frames until it leaves or is to be closed."""
    while not connection.is_closing:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if len(text or message.get("bytes") or "") > settings.LIVE_MAX_FRAME_BYTES:
            connection.close(Close.TOO_BIG, "too-big")
        elif not connection.may_send():
            connection.close(Close.FLOODING, "flooding")
        else:
            await _handle(connection, text)


async def _handle(connection: Connection, text: str | None) -> None:
    try:
        frame = parse(text)
    except BadFrame as bad:
        connection.offer(Frame.of(ErrorFrame(code=bad.code, detail=bad.detail)))
        return
    try:
        match frame:
            case Resume():
                await gateway().resumer.resume(connection, frame)
            case ReadRequest():
                await _read(connection, frame)
            case UnreadRequest() | DismissRequest() | RestoreRequest():
                await _mark(connection, frame)
            case Ack():
                await _acknowledge(connection, frame)
            case Pong():
                connection.last_pong = time.monotonic()
    except Exception:
        logger.warning("A %s frame could not be served", frame.type, exc_info=True)
        connection.close(Close.TRY_AGAIN, "failed")


async def _acknowledge(connection: Connection, frame: Ack) -> None:
    """Count what was shown, of what this viewer may see."""
    metrics.acknowledged.inc()
    viewer_id = connection.identity.viewer_id
    shown = connection.acknowledge(frame.positions)
    if frame.ids:
        shown += await in_thread(visible_among, viewer_id=viewer_id, ids=frame.ids)
    if shown:
        tally.note(Stage.SEEN, tuple(shown), (viewer_id,))


async def _read(connection: Connection, frame: ReadRequest) -> None:
    """Mark as read. A frame that names nothing only asks for the count; many may do so at once."""
    viewer_id = connection.identity.viewer_id
    if frame.ids or frame.positions:
        news = await in_thread(mark_read, viewer_id=viewer_id, ids=frame.ids, positions=frame.positions)
    else:
        news = ReadNews(0, states_of(()), {}, await gateway().unread_counts.ask(viewer_id))
    _answer(connection, news)


async def _mark(connection: Connection, frame: ItemRequest) -> None:
    command = {"unread": mark_unread, "dismiss": dismiss, "restore": restore}[frame.type]
    _answer(connection, await in_thread(command, viewer_id=connection.identity.viewer_id, ids=frame.ids))


def _answer(connection: Connection, news: ReadNews) -> None:
    """What changed comes to all tabs, this one too; if nothing did, this one gets the count."""
    if news.is_empty:
        connection.offer(Frame.of(ReadNotice.of(news)))
