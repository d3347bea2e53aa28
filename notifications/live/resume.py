"""Resume: bring a client from what it holds to live, without a gap and without a repeat."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.conf import settings
from django.db import connection as database
from django.db import transaction

from notifications.insight.models import Stage
from notifications.insight.tally import tally
from notifications.queries import ReadNews, ViewerState
from notifications.resume_queries import ONE_BY_ONE, Revisions, missed_by, prepare_snapshot, read_news_of, states_of

from .batching import Batcher
from .connection import Connection
from .frames import Burst, Frame, Outgoing
from .healing import read_revisions
from .hub import Hub
from .posted import Posted
from .protocol import Ping, ReadNotice, ResetReason, Resume, Welcome

ATTEMPTS = 3
UNCOUNTED = 16  # in a batch of so many nobody's unread ones are counted: that costs as much as all the rest
_SNAPSHOT = f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; {ONE_BY_ONE}"


class Missed(NamedTuple):
    """What a client has missed, in posting order, and how it goes out; one for all who have missed the same."""

    postings: Sequence[Posted]
    ids: tuple[int, ...]  # of their notifications
    outgoing: Outgoing


NOTHING = Missed((), (), Burst(()))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One viewer at one moment of the database, and what a client lacks to be there; or why it cannot."""

    state: ViewerState
    start: Mapping[str, int] = field(default_factory=dict)  # the positions that the client goes on from
    missed: Missed = NOTHING
    reads: ReadNews | None = None
    objection: ResetReason | None = None


class Resumer:
    """Answers the `resume` frames of a hub's connections, those of a storm in batches."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._snapshots = Batcher(read_snapshots, per_second=settings.LIVE_ADMISSIONS_PER_SECOND)

    async def resume(self, connection: Connection, frame: Resume) -> None:
        """Answer with welcome, what was missed and a ping, or with reset.

        (a) Register, so that the hub keeps what is released; (b) read the database in one snapshot; (c) send; (d) flush
        what was kept, above the snapshot's heads; (e) live. (a) and (b) are repeated when the topics had changed,
        or the hub begins above the snapshot.
        """
        hub, topics = self._hub, set(frame.positions or ())
        for _ in range(ATTEMPTS):
            hub.register(connection, topics)
            snapshot = await self._snapshots.ask((connection.identity.viewer_id, frame))
            if snapshot.objection is not None:
                hub.reset(connection, snapshot.objection)
                return
            if connection.buffer is None:
                return  # reset meanwhile: more was released than is kept
            is_covered = snapshot.state.topics.keys() <= topics and not hub.begins_above(snapshot.state)
            if snapshot.reads is not None and is_covered:
                connection.owe(Burst(list(_answer(snapshot, snapshot.reads, frame))))
                connection.await_ack(snapshot.missed.postings)
                if snapshot.missed.ids:
                    tally.note(Stage.PUSHED, snapshot.missed.ids, (connection.identity.viewer_id,))
                hub.settle(connection, snapshot.state)
                return
            topics = set(snapshot.state.topics)
        if hub.begins_above(snapshot.state):  # that is no chance any more: the database has gone back
            hub.reset_all("epoch")
        else:
            hub.reset(connection, "entitlement")


def _answer(snapshot: Snapshot, reads: ReadNews, frame: Resume) -> Iterator[Outgoing]:
    """The frames that bring the client to the snapshot."""
    state = snapshot.state
    heartbeat: float = settings.LIVE_HEARTBEAT_SECONDS
    welcome = Welcome(epoch=state.epoch, positions=dict(snapshot.start), unread=reads.unread, heartbeat=heartbeat)
    yield Frame.of(welcome)
    yield snapshot.missed.outgoing
    if frame.positions is not None and reads.version > 0:  # something may have been read while it was away
        yield Frame.of(ReadNotice.of(reads))
    yield Frame.of(Ping(positions={topic: state.positions[topic] for topic in state.topics}))


def read_snapshots(asked: Sequence[tuple[int, Resume]]) -> list[Snapshot | Exception]:
    """Each (viewer, resume)'s viewer, and what the client lacks, all as of one moment. `LookupError` for nobody."""
    prepare_snapshot()
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute(_SNAPSHOT)
        states = states_of(viewer_ids=[viewer_id for viewer_id, _ in asked])
        answers: list[Snapshot | Exception] = []
        going_on: dict[int, tuple[int, Snapshot]] = {}
        for place, ((viewer_id, frame), state) in enumerate(zip(asked, states, strict=True)):
            answer = LookupError(viewer_id) if state is None else _begin(frame, state)
            answers.append(answer)
            if isinstance(answer, Snapshot) and answer.objection is None:
                going_on[place] = (viewer_id, answer)
        for place, complete in zip(going_on, _complete(list(going_on.values())), strict=True):
            answers[place] = complete
        return answers


def _begin(frame: Resume, state: ViewerState) -> Snapshot:
    if objection := _objection(frame, state):
        return Snapshot(state, objection=objection)
    known = state.positions if frame.positions is None else frame.positions
    return Snapshot(state, {topic: known[topic] for topic in state.topics})


def _complete(begun: Sequence[tuple[int, Snapshot]]) -> Iterator[Snapshot]:
    """What each has missed and read; what many have missed is read and encoded once."""
    if not begun:
        return
    limit: int = settings.LIVE_MAX_MISSING
    missed = _missed(begun, limit=limit + 1)
    posted = read_revisions(
        {(pk, revision) for each in missed if len(each) <= limit for pk, revision in each if revision is not None}
    )
    reads = read_news_of(viewer_ids=[viewer_id for viewer_id, _ in begun], counted=len(begun) < UNCOUNTED)
    lots: dict[Revisions, Missed] = {}
    for (_, snapshot), revisions, news in zip(begun, missed, reads, strict=True):
        if len(revisions) > limit:
            yield Snapshot(snapshot.state, objection="too-many")
            continue
        if any(revision is None for _, revision in revisions):
            yield Snapshot(snapshot.state, objection="entitlement")
            continue
        if revisions not in lots:
            postings = [posted[pk, revision] for pk, revision in revisions if revision is not None]
            ids = tuple(one.notification for one in postings)
            lots[revisions] = Missed(postings, ids, Burst([one.frame for one in postings]))
        yield Snapshot(snapshot.state, snapshot.start, lots[revisions], news)


def _missed(begun: Sequence[tuple[int, Snapshot]], *, limit: int) -> list[Revisions]:
    """What each has missed, asked only for those topics in which it is behind, which are few."""
    missed: list[Revisions] = [()] * len(begun)
    behind = [
        {topic: seq for topic, seq in snapshot.start.items() if seq < snapshot.state.positions[topic]}
        for _, snapshot in begun
    ]
    places = [place for place, topics in enumerate(behind) if topics]
    viewers = [(begun[place][0], behind[place]) for place in places]
    if viewers:
        for place, revisions in zip(places, missed_by(viewers=viewers, limit=limit), strict=True):
            missed[place] = revisions
    return missed


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
    if any(frame.positions[topic] < tail for topic, tail in state.tails.items()):
        return "too-old"
    return None
