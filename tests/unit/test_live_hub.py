"""The hub hands each connection what it wants, in order and once, whatever it is doing meanwhile."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from notifications.live import broadcast as broadcast_module
from notifications.live import hub as hub_module
from notifications.live.connection import Connection, Identity
from notifications.live.frames import Frame, Outgoing
from notifications.live.hub import Hub
from notifications.live.interest import Period
from notifications.live.posted import Posted
from notifications.queries import ViewerState

MOVIES, AURORA = "category:movies", "studio:aurora"
FOREVER: Period = (0.0, float("inf"))
_numbers = itertools.count(1)


class Wire:
    """The way out to a client that takes everything, and what was written to it, one entry a write."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []

    def write(self, outgoing: Outgoing) -> bool:
        self.writes.append([frame.get("title", frame["type"]) for frame in map(json.loads, outgoing.texts)])
        return True

    def call_when_ready(self, callback: Callable[[], None]) -> None: ...
    def call_on_shutdown(self, farewell: Callable[[], None]) -> None: ...
    def stop(self) -> None: ...
    def cut(self, seconds: float) -> None: ...

    @property
    def titles(self) -> list[str]:
        return list(itertools.chain.from_iterable(self.writes))


class Client:
    """A connection to a hub, as its consumer drives it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.wire = Wire()
        self.connection = Connection(Identity(next(_numbers), "x"), self.wire)
        hub.join(self.connection)

    def begin_resume(self, *topics: str) -> None:
        self.hub.register(self.connection, topics or (MOVIES,))

    def settle(
        self,
        positions: Mapping[str, int],
        *,
        kinds: frozenset[str] = frozenset({"premiere"}),
        is_kids: bool = False,
        periods: tuple[Period, ...] = (FOREVER,),
    ) -> "Client":
        state = ViewerState(
            epoch="1.1",
            entitlement_version=1,
            is_kids=is_kids,
            languages=frozenset(),
            region="",
            read_version=0,
            periods=periods,
            positions=dict(positions),
            tails={},
            topics=dict.fromkeys(positions, kinds),
            muted={},
        )
        self.hub.settle(self.connection, state)
        return self

    def live(self, *topics: str, **wish: Any) -> "Client":
        self.begin_resume(*topics)
        return self.settle(dict.fromkeys(topics or (MOVIES,), 0), **wish)


def posted(title: str, positions: Mapping[str, int], **changes: Any) -> Posted:
    values: dict[str, Any] = {"notification": next(_numbers), "revision": 1, "shown": 1, "kind": "premiere"}
    values |= {"maturity": 0, "posted_at": time.time(), "expires_at": None, "positions": positions}
    frame = Frame(json.dumps({"type": "notification", "title": title}))
    return Posted(**values | changes, frame=frame)


def on_a_hub(story: Callable[[Hub], Coroutine[Any, Any, None]]) -> None:
    """Run a story on a hub that delivers."""

    async def run() -> None:
        hub = Hub()
        delivering = asyncio.create_task(hub.deliver_all())
        await story(hub)
        delivering.cancel()

    asyncio.run(run())


async def until_delivered(hub: Hub) -> None:
    while not hub._released.empty():
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_is_due_at_once_goes_out_in_order_in_one_write() -> None:
    async def story(hub: Hub) -> None:
        both, movies = Client(hub).live(MOVIES, AURORA), Client(hub).live(MOVIES)
        hub.accept(posted("first", {MOVIES: 1}))
        hub.accept(posted("second", {AURORA: 1}))
        hub.accept(posted("third", {MOVIES: 2, AURORA: 2}))
        await until_delivered(hub)
        assert both.wire.writes == [["first", "second", "third"]]
        assert movies.wire.writes == [["first", "third"]]

    on_a_hub(story)


def test_while_a_crowd_resumes_what_comes_within_a_moment_goes_out_in_one_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "CROWD", 2)

    async def story(hub: Hub) -> None:
        client = Client(hub).live()
        crowd = [Client(hub) for _ in range(2)]
        for one in crowd:
            one.begin_resume()
        assert hub.is_crowded
        for seq in (1, 2):
            hub.accept(posted(f"number {seq}", {MOVIES: seq}))
            for _ in range(5):
                await asyncio.sleep(0)
            assert client.wire.writes == []
        while not client.wire.writes:
            await asyncio.sleep(0.01)
        assert client.wire.writes == [["number 1", "number 2"]]
        crowd[0].settle({MOVIES: 2})
        assert not hub.is_crowded

    on_a_hub(story)


def test_neither_a_live_alert_nor_what_follows_a_full_broadcast_waits_for_a_crowd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "CROWD", 0)
    monkeypatch.setattr(hub_module, "GATHER_SECONDS", 60)
    monkeypatch.setattr(broadcast_module, "MAX_RELEASES", 2)

    async def story(hub: Hub) -> None:
        client = Client(hub).live(kinds=frozenset({"premiere", "live_event"}))
        for seq in range(1, 6):
            hub.accept(posted(str(seq), {MOVIES: seq}, kind="live_event" if seq == 2 else "premiere"))
        await until_delivered(hub)
        assert client.wire.writes == [["1", "2"], ["3", "4"], ["5"]]

    on_a_hub(story)


def test_kinds_and_ratings_are_judged_for_all_who_want_the_same() -> None:
    async def story(hub: Hub) -> None:
        adult, child = Client(hub).live(), Client(hub).live(is_kids=True)
        fan = Client(hub).live(kinds=frozenset({"live_event"}))
        hub.accept(posted("for all", {MOVIES: 1}))
        hub.accept(posted("for adults", {MOVIES: 2}, maturity=16))
        hub.accept(posted("match", {MOVIES: 3}, kind="live_event"))
        await until_delivered(hub)
        assert adult.wire.titles == ["for all", "for adults"]
        assert child.wire.titles == ["for all"]
        assert fan.wire.titles == ["match"]

    on_a_hub(story)


def test_one_ended_membership_among_many_ends_nobody_elses() -> None:
    async def story(hub: Hub) -> None:
        now = time.time()
        member, leaver = Client(hub).live(), Client(hub).live(periods=((0.0, now + 5),))
        stranger = Client(hub).live(periods=())
        hub.accept(posted("while both paid", {MOVIES: 1}, posted_at=now))
        hub.accept(posted("afterwards", {MOVIES: 2}, posted_at=now + 6))
        await until_delivered(hub)
        assert member.wire.titles == ["while both paid", "afterwards"]
        assert leaver.wire.titles == ["while both paid"]
        assert stranger.wire.titles == []

    on_a_hub(story)


def test_what_was_delivered_while_a_client_read_the_database_comes_to_it_once() -> None:
    async def story(hub: Hub) -> None:
        other = Client(hub).live()
        client = Client(hub)
        client.begin_resume()
        hub.accept(posted("in the snapshot", {MOVIES: 1}))
        hub.accept(posted("after it", {MOVIES: 2}))
        await until_delivered(hub)
        client.settle({MOVIES: 1})
        hub.accept(posted("live", {MOVIES: 3}))
        await until_delivered(hub)
        assert client.wire.titles == ["after it", "live"]
        assert other.wire.titles == ["in the snapshot", "after it", "live"]

    on_a_hub(story)


@pytest.mark.parametrize("head", [0, 1])
def test_who_becomes_live_amid_a_broadcast_gets_it_once(head: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "CONNECTIONS_AT_ONCE", 1)

    async def story(hub: Hub) -> None:
        crowd = [Client(hub).live() for _ in range(4)]
        late = Client(hub)
        late.begin_resume()
        hub.accept(posted("the broadcast", {MOVIES: 1}))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 0 < sum(len(client.wire.writes) for client in crowd) < len(crowd)
        late.settle({MOVIES: head})
        hub.accept(posted("the next", {MOVIES: 2}))
        await until_delivered(hub)
        assert late.wire.titles == ["the broadcast", "the next"][head:]

    on_a_hub(story)


def test_who_is_reset_amid_a_broadcast_gets_nothing_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "CONNECTIONS_AT_ONCE", 1)

    async def story(hub: Hub) -> None:
        crowd = [Client(hub).live() for _ in range(4)]
        hub.accept(posted("the broadcast", {MOVIES: 1}))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = next(client for client in crowd if not client.wire.writes)
        hub.reset(waiting.connection, "entitlement")
        await until_delivered(hub)
        assert waiting.wire.titles == ["reset"]

    on_a_hub(story)


def test_a_state_that_came_with_a_late_hint_is_not_repeated() -> None:
    async def story(hub: Hub) -> None:
        client = Client(hub).live()
        hub.accept(posted("changed", {MOVIES: 1}, notification=7, revision=1, shown=2))
        hub.accept(posted("changed", {MOVIES: 2}, notification=7, revision=2, shown=2))
        await until_delivered(hub)
        assert client.wire.titles == ["changed"]

    on_a_hub(story)


def test_an_older_state_that_has_waited_for_a_lost_hint_is_not_shown_after_the_newest() -> None:
    async def story(hub: Hub) -> None:
        client = Client(hub).live()
        hub.accept(posted("second", {MOVIES: 2}, notification=7, revision=2, shown=2))
        hub.accept(posted("third", {MOVIES: 1}, notification=7, revision=1, shown=3))  # what healing has read
        hub.accept(posted("third", {MOVIES: 3}, notification=7, revision=3, shown=3))
        hub.accept(posted("fourth", {MOVIES: 4}, notification=7, revision=4, shown=4))
        await until_delivered(hub)
        assert client.wire.titles == ["third", "fourth"]

    on_a_hub(story)


def test_a_card_that_was_just_rated_for_adults_resets_children_alone() -> None:
    async def story(hub: Hub) -> None:
        adult, child = Client(hub).live(), Client(hub).live(is_kids=True)
        reading = Client(hub)
        reading.begin_resume()
        hub.accept(posted("rated anew", {MOVIES: 1}, revision=2, shown=2, maturity=16, changes_audience=True))
        await until_delivered(hub)
        reading.settle({MOVIES: 0}, is_kids=True)
        assert adult.wire.titles == ["rated anew"]
        assert child.wire.titles == ["reset"]
        assert reading.wire.titles == ["reset"]

    on_a_hub(story)
