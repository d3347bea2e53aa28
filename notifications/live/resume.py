"""Resume: bring a client from what it holds to live, without a gap and without a repeat."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from pydantic import BaseModel

from notifications.queries import InboxEntry, ReadNews, ViewerState, missing_postings, read_news, viewer_state

from .connection import Connection
from .frames import Frame
from .hub import Hub
from .protocol import NotificationFrame, Ping, ReadNotice, ResetReason, Resume, Welcome
from .threads import in_thread

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One viewer at one moment of the database, and what a client lacks to be there; or why it cannot."""

    state: ViewerState
    start: dict[str, int] = field(default_factory=dict)  # the positions that the client goes on from
    missed: list[InboxEntry] = field(default_factory=list)
    reads: ReadNews | None = None
    objection: ResetReason | None = None


async def resume(hub: Hub, connection: Connection, frame: Resume) -> None:
    """Answer a `resume`: with welcome, what was missed and a ping, or with reset.

    (a) Register, so that the hub keeps what is released; (b) read the database in one snapshot; (c) send; (d) flush
    what was kept, above the snapshot's heads; (e) live. Had the client's topics changed, (a) and (b) are repeated.
    """
    topics = set(frame.positions or ())
    for _ in range(ATTEMPTS):
        hub.register(connection, topics)
        snapshot = await in_thread(read_snapshot, connection.identity.viewer_id, frame)
        if snapshot.objection is not None:
            hub.reset(connection, snapshot.objection)
            return
        if connection.buffer is None:
            return  # reset meanwhile: more was released than is kept
        if snapshot.reads is not None and snapshot.state.topics.keys() <= topics:
            _go_live(hub, connection, snapshot.state, _answer(snapshot, snapshot.reads, frame))
            return
        topics = set(snapshot.state.topics)
    hub.reset(connection, "entitlement")


def _answer(snapshot: Snapshot, reads: ReadNews, frame: Resume) -> Iterator[BaseModel]:
    """The frames that bring the client to the snapshot."""
    state = snapshot.state
    heartbeat: float = settings.LIVE_HEARTBEAT_SECONDS
    yield Welcome(epoch=state.epoch, positions=snapshot.start, unread=reads.unread, heartbeat=heartbeat)
    yield from map(_frame, snapshot.missed)
    if frame.positions is not None and reads.version > 0:  # something may have been read while it was away
        yield ReadNotice(ids=reads.ids, positions=reads.positions, unread=reads.unread)
    yield Ping(positions={topic: state.positions[topic] for topic in state.topics})


def _go_live(hub: Hub, connection: Connection, state: ViewerState, answer: Iterable[BaseModel]) -> None:
    for frame in answer:
        connection.owe(Frame.of(frame))
    hub.settle(connection, state)


def read_snapshot(viewer_id: int, frame: Resume) -> Snapshot:
    """The viewer and what the client lacks, as of one moment."""
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        state = viewer_state(viewer_id=viewer_id)
        if objection := _objection(frame, state):
            return Snapshot(state, objection=objection)
        known = state.positions if frame.positions is None else frame.positions
        start = {topic: known[topic] for topic in state.topics}
        limit: int = settings.LIVE_MAX_MISSING
        missed = missing_postings(viewer_id=viewer_id, positions=start, limit=limit + 1)
        if len(missed) > limit:
            return Snapshot(state, objection="too-many")
        return Snapshot(state, start, missed, read_news(viewer_id=viewer_id))


def _objection(frame: Resume, state: ViewerState) -> ResetReason | None:
    """Why the client cannot go on from what it holds."""
    if frame.epoch is None or frame.positions is None:
        return None
    if frame.epoch != state.epoch:
        same_database = frame.epoch.partition(".")[0] == state.epoch.partition(".")[0]
        return "entitlement" if same_database else "epoch"
    if not state.topics.keys() <= frame.positions.keys():
        return "positions"
    if any(frame.positions[topic] > state.positions[topic] for topic in state.topics):
        return "ahead"
    return None


def _frame(entry: InboxEntry) -> NotificationFrame:
    return NotificationFrame(
        id=entry.id,
        revision=entry.revision,
        kind=entry.kind,
        title=entry.title,
        body=entry.body,
        url=entry.url,
        image=entry.image,
        studio=entry.studio,
        category=entry.category,
        recalled=entry.recalled,
        published_at=entry.published_at,
        expires_at=entry.expires_at,
        positions=entry.positions,
    )
