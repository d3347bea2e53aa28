"""Whatever happens, what a client holds equals a fresh load: random walks over a hub on a real database."""

import asyncio
import itertools
import json
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

import pytest
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from accounts.clock import database_now
from accounts.commands import end_membership, start_membership, update_profile
from accounts.models import User
from accounts.queries import is_member
from broker.messages import Message
from notifications.commands import mute, revise_notification, subscribe, turn_windows, unsubscribe
from notifications.errors import NotFollowed
from notifications.events import notification_posted
from notifications.given_topics import PLATFORM, own_topic
from notifications.handlers import on_release_published, on_release_recalled
from notifications.live import batching, healing, push, tick
from notifications.live.auth import credential
from notifications.live.connection import Connection, Identity
from notifications.live.hub import Hub
from notifications.live.outlets import SendOutlet
from notifications.live.posted import Posted
from notifications.live.protocol import Resume
from notifications.live.resume import Resumer
from notifications.models import Epoch, Notification, Part, Posting, ReadItem, Topic
from notifications.queries import InboxEntry, inbox
from notifications.read_commands import dismiss, mark_read, mark_unread, restore
from notifications.retention import forget_notifications, forget_postings
from notifications.tasks import fan_out

from .live_support import EPOCH
from .notifications_support import a_viewer, post

pytestmark = pytest.mark.django_db(transaction=True)
_runs = itertools.count(1)
LANGUAGES = ["de", "fr"]
REGIONS = ["AT", "JP"]
PAST, NOW = "2020-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"
FUTURE = "2090-01-01T00:00:00+00:00"
WINDOWS = st.lists(
    st.fixed_dictionaries(
        {"region": st.sampled_from(REGIONS), "opens_at": st.sampled_from([None, FUTURE]), "closes_at": st.just(FUTURE)}
    ),
    unique_by=lambda window: window["region"],
    max_size=2,
)
AUDIENCES = st.fixed_dictionaries(
    {},
    optional={
        "maturity": st.sampled_from([0, 12]),
        "languages": st.lists(st.sampled_from(LANGUAGES), unique=True, max_size=2),
        "windows": WINDOWS,
        "expires_at": st.sampled_from([None, datetime.fromisoformat(PAST), datetime.fromisoformat(FUTURE)]),
    },
)
QUIET_SECONDS = 10  # after which nothing more should happen by itself
WHICH_TAB = st.integers(0, 1)
TOKEN = 0  # the tick is told below that this one is good


async def at_once(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Instead of a thread, the test's own, on the connection of the walk: nobody else is to be served meanwhile."""
    await asyncio.sleep(0)
    connections["default"] = Walk.database  # Django would open another one for each task
    return function(*args, **kwargs)


class Slow:
    """What was read from the database for clients that resume; the answers come when the walk lets them."""

    def __init__(self) -> None:
        self.is_slow = False
        self._held: list[tuple[int, asyncio.Future[None]]] = []

    def holds_up(self, asking: int) -> bool:
        """Whether so many, who are all that ask, wait for nothing but what is held."""
        return len(self._held) == batching.WORKERS or asking == sum(size for size, _ in self._held)

    def let_go(self, number: int = 0) -> None:
        """Let one of the answers arrive."""
        if self._held:
            self._held.pop(number % len(self._held))[1].set_result(None)

    async def read_snapshots(self, function: Callable[..., Any], asked: Sequence[Any]) -> Any:
        """Read at once; answer late."""
        answers = await at_once(function, asked)
        if self.is_slow:
            arrival = asyncio.get_running_loop().create_future()
            self._held.append((len(asked), arrival))
            await arrival
        return answers


async def late_at_times(read_snapshots: Callable[..., Any], asked: Sequence[Any]) -> Any:
    """The same for what the walk may delay."""
    return await Walk.slow.read_snapshots(read_snapshots, asked)


@dataclass
class Card:
    """What a client shows of one notification."""

    revision: int
    title: str
    recalled: bool
    read: bool
    positions: dict[str, int]


class Tab:
    """A client that keeps to docs/live-protocol.md, on a connection without a network."""

    def __init__(self, hub: Hub, resumer: Resumer, identity: Identity, load: Callable[[], Any]) -> None:
        self.hub = hub
        self.resumer = resumer
        self.identity = identity
        self.load = load
        self.cards: dict[int, Card] = {}
        self.epoch = ""
        self.positions: dict[str, int] = {}
        self.items: dict[int, tuple[int, str]] = {}  # what was told of single ones: the revision, and the state
        self.marks: dict[str, int] = {}
        self.connection: Connection | None = None
        self.asking = 0  # resumes that are not answered yet, of connections that it has left, too
        self.is_busy = False

    async def reload(self) -> None:
        page = await at_once(self.load)
        self.epoch, self.positions = page.epoch, page.positions
        self.items, self.marks = {}, {}
        self.cards = {e.id: Card(e.revision, e.title, e.recalled, e.read, e.positions) for e in page.entries}

    async def connect(self) -> None:
        self.frames = asyncio.Queue[Resume | None]()
        self.outlet = SendOutlet(self.send)
        asyncio.get_running_loop().create_task(self.serve(self.outlet, self.frames))
        self.resume()

    async def serve(self, outlet: SendOutlet, frames: asyncio.Queue[Resume | None]) -> None:
        """What the consumer does: it sees that the client has left when it has answered what that asked before."""
        self.connection = connection = Connection(self.identity, outlet)
        self.hub.join(connection)
        while (frame := await frames.get()) is not None:
            self.asking += 1
            await self.resumer.resume(connection, frame)
            self.asking -= 1
        self.hub.leave(connection)

    def resume(self) -> None:
        self.frames.put_nowait(Resume(type="resume", epoch=self.epoch, positions=dict(self.positions)))

    async def disconnect(self) -> None:
        self.outlet.stop()
        self.frames.put_nowait(None)
        self.connection = None

    def is_idle(self) -> bool:
        """Whether nothing is on its way to it, but for what it has asked when it resumes."""
        if self.connection is None:
            return not self.is_busy
        if self.outlet._task.done():
            self.outlet._task.result()  # raises what was wrong with a frame
        return self.connection.is_idle and self.outlet._outgoing is None and not self.is_busy

    async def send(self, message: dict[str, Any]) -> None:
        self.is_busy = True
        await self.receive(json.loads(message["text"]))
        self.is_busy = False

    async def receive(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "welcome":
                self.epoch, self.positions = frame["epoch"], frame["positions"]
            case "notification":
                self.take(frame)
                self.advance(frame["positions"])
            case "ping":
                self.advance(frame["positions"])
            case "read":
                self.mark(frame)
            case "reset":
                await self.reload()
                self.resume()

    def take(self, frame: dict[str, Any]) -> None:
        held = self.cards.get(frame["id"])
        assert held is None or frame["revision"] > held.revision, "a step back, or a repeat"
        if held is None or frame["revision"] > held.revision:
            positions = {topic: seq for topic, seq in frame["positions"].items() if topic in self.positions}
            self.cards[frame["id"]] = Card(frame["revision"], frame["title"], frame["recalled"], False, positions)
            self.judge(frame["id"])

    def mark(self, frame: dict[str, Any]) -> None:
        for topic, seq in frame["positions"].items():
            self.marks[topic] = max(seq, self.marks.get(topic, 0))
        for state, items in frame["states"].items():
            self.items |= {int(number): (revision, state) for number, revision in items.items()}
        for number in list(self.cards):
            self.judge(number)

    def judge(self, number: int) -> None:
        """Put a card into the state that was told of its revision or a later one, else into that of the marks."""
        card = self.cards[number]
        revision, state = self.items.get(number, (0, ""))
        if revision >= card.revision:
            card.read = state == "read"
            if state == "dismissed":
                del self.cards[number]
        elif any(seq <= self.marks.get(topic, 0) for topic, seq in card.positions.items()):
            card.read = True

    def advance(self, positions: dict[str, int]) -> None:
        for topic in self.positions.keys() & positions.keys():
            self.positions[topic] = max(self.positions[topic], positions[topic])


def an_episode(topic: str, number: int, *, version: int) -> Message:
    """What the catalog says of an episode whose title and studio nobody follows."""
    category = topic.partition(":")[2]
    moment = datetime.now(UTC).isoformat()
    kind = "release.recalled" if version > 1 else "release.published"
    data: dict[str, Any] = {
        **dict.fromkeys(["synopsis", "image", "url", "reason"], "x"),
        **dict.fromkeys(["starts_at", "expires_at"]),
        "release_id": f"{category}-{number}",
        "version": version,
        "kind": "episode",
        "headline": f"Part {number}",
        **dict.fromkeys(["title_slug", "studio_slug", "category"], category),
        **dict.fromkeys(["title_name", "studio_name", "category_label"], category),
        "season": 1,
        "episode": number,
        "maturity": 0,
        "languages": [],
        "windows": [],
        "published_at": moment,
    }
    return Message(type=kind, data=data, key=f"release:{data['release_id']}", exchange="catalog", routing_key=kind)


def edge(card: Notification, region: str) -> str:
    """Which edge of a region's window is next: it closes when it is open."""
    return "closes_at" if region in (card.regions or ()) else "opens_at"


class Walk(RuleBasedStateMachine):
    """One viewer, two tabs, one hub; hints that get lost, doubled and reordered, and come while a tab resumes."""

    another: ClassVar[User]
    database: ClassVar[BaseDatabaseWrapper]
    slow: ClassVar[Slow]  # of the walk that is under way

    @initialize()
    def begin(self) -> None:
        Epoch.objects.get_or_create(defaults={"value": EPOCH})
        while forget_postings(before=database_now()) or forget_notifications(before=database_now()):
            pass  # what earlier runs told everybody would be read in each later one
        run = next(_runs)
        self.loop = asyncio.new_event_loop()
        self.hub = Hub()
        Walk.slow = Slow()
        self.pump = self.loop.create_task(self.hub.deliver_all())
        self.topics = [f"category:run{run}-{letter}" for letter in "abc"]
        self.viewer = a_viewer()
        self.subjects: list[str] = []
        self.numbers = itertools.count(1)
        self.episodes: list[list[int]] = [[], [], []]  # those that are out, by topic
        self.hints: list[Posted] = []
        self.run_number = run
        identity = Identity(self.viewer.pk, credential(self.viewer), token_id=TOKEN)
        resumer, load = Resumer(self.hub), partial(inbox, viewer_id=self.viewer.pk, limit=100)
        self.tabs = [Tab(self.hub, resumer, identity, load) for _ in range(2)]
        for tab in self.tabs:
            self.run(tab.reload())

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        async def and_settle() -> None:
            await work
            await asyncio.sleep(0)
            async with asyncio.timeout(QUIET_SECONDS):
                while not self.is_quiet():
                    await asyncio.sleep(0)

        self.loop.run_until_complete(and_settle())

    def is_quiet(self) -> bool:
        """Whether nothing more happens by itself."""
        is_settled = self.hub._released.empty() and Walk.slow.holds_up(self.asking)
        return is_settled and all(tab.is_idle() for tab in self.tabs)

    @property
    def asking(self) -> int:
        """How many resumes are not answered yet."""
        return sum(tab.asking for tab in self.tabs)

    def tell(self, notification: Notification) -> None:
        """Make the hint that the worker would send, and keep it for later."""
        rows = Posting.objects.filter(notification=notification, revision=notification.revision)
        message = notification_posted(notification, dict(rows.values_list("topic__name", "seq")))
        sent: list[Posted] = []
        push_live, push_module = sent.append, "notifications.tasks.push_live"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(push_module, push_live)
            fan_out(message)
        self.hints += sent

    @rule(chosen=st.sets(st.integers(0, 2), min_size=1), audience=AUDIENCES)
    def publish(self, chosen: set[int], audience: dict[str, Any]) -> None:
        subject = f"release:run{self.run_number}-{len(self.subjects)}"
        self.subjects.append(subject)
        self.tell(post(subject, *(self.topics[n] for n in sorted(chosen)), subject=subject, **audience))

    @rule(where=st.integers(0, 2), recalled=st.booleans())
    def an_episode_comes_or_goes(self, where: int, recalled: bool) -> None:
        """Those that come by one topic are a season drop, whose card counts them up and down."""
        out = self.episodes[where]
        number = out.pop() if recalled and out else next(self.numbers)
        message = an_episode(self.topics[where], number, version=2 if recalled else 1)
        if recalled:
            on_release_recalled(message)
        else:
            out.append(number)
            on_release_published(message)
        card = Part.objects.get(subject=message.key).card
        self.tell(Notification.objects.get(subject=card))

    @rule(to=st.sampled_from(["viewer", "another", "everybody"]))
    def tell_without_being_followed(self, to: str) -> None:
        topic = {"viewer": own_topic(self.viewer.pk), "another": own_topic(self.another.pk), "everybody": PLATFORM}[to]
        subject = f"note:run{self.run_number}-{len(self.subjects)}"
        self.subjects.append(subject)
        self.tell(post(f"{subject} to {to}", topic, subject=subject, kind="announcement"))

    @rule(number=st.integers(0, 99), recalled=st.booleans())
    def change(self, number: int, recalled: bool) -> None:
        self.revise(number, recalled=recalled)

    @rule(number=st.integers(0, 99), audience=AUDIENCES)
    def change_for_whom_it_is(self, number: int, audience: dict[str, Any]) -> None:
        self.revise(number, **audience)

    def revise(self, number: int, **changes: Any) -> None:
        if self.subjects:
            subject = self.subjects[number % len(self.subjects)]
            version = Notification.objects.get(subject=subject).subject_version + 1
            changed = revise_notification(
                subject=subject, subject_version=version, title=f"{subject} {version}", **changes
            )
            assert changed is not None
            self.tell(changed)

    @rule(number=st.integers(0, 99), region=st.sampled_from(REGIONS))
    def a_window_opens_or_closes(self, number: int, region: str) -> None:
        """Time passes for one window: it is moved to where it turns now."""
        if self.subjects:
            card = Notification.objects.get(subject=self.subjects[number % len(self.subjects)])
            moved = [
                dict.fromkeys(("opens_at", "closes_at")) | {"region": window["region"], edge(card, region): NOW}
                if window["region"] == region
                else window
                for window in card.windows or ()
            ]
            revision, now = card.revision, datetime.now(UTC)
            Notification.objects.filter(pk=card.pk).update(windows=moved or None, turns_at=now)
            turn_windows()
            card.refresh_from_db()
            if card.revision > revision:
                self.tell(card)

    @rule(number=st.integers(0, 99), again=st.booleans())
    def a_hint_arrives(self, number: int, again: bool) -> None:
        if self.hints:
            hint = self.hints[number % len(self.hints)] if again else self.hints.pop(number % len(self.hints))

            async def arrive() -> None:
                self.hub.accept(hint)

            self.run(arrive())

    @rule(number=st.integers(0, 2))
    def follow(self, number: int) -> None:
        subscribe(viewer_id=self.viewer.pk, topic=self.topics[number])

    @rule(number=st.integers(0, 2))
    def leave(self, number: int) -> None:
        unsubscribe(viewer_id=self.viewer.pk, topic=self.topics[number])

    @rule()
    def pay_or_stop_paying(self) -> None:
        change = end_membership if is_member(user_id=self.viewer.pk) else start_membership
        change(user=self.viewer)

    @rule(number=st.integers(0, 2), until=st.sampled_from([None, datetime.fromisoformat(FUTURE)]))
    def mute_or_not(self, number: int, until: datetime | None) -> None:
        with suppress(NotFollowed):
            mute(viewer_id=self.viewer.pk, topic=self.topics[number], until=until)

    @rule(
        is_kids=st.booleans(),
        languages=st.sets(st.sampled_from(LANGUAGES)),
        region=st.sampled_from(["", *REGIONS]),
    )
    def change_profile(self, is_kids: bool, languages: set[str], region: str) -> None:
        update_profile(user=self.viewer, is_kids=is_kids, languages=languages, region=region)

    @rule(which=WHICH_TAB, number=st.integers(0, 99), say=st.sampled_from([mark_read, mark_unread, dismiss]))
    def say_of_one(self, which: int, number: int, say: Callable[..., Any]) -> None:
        cards = sorted(self.tabs[which].cards)
        if cards:
            say(viewer_id=self.viewer.pk, ids=[cards[number % len(cards)]])

    @rule(number=st.integers(0, 99))
    def take_a_dismissal_back(self, number: int) -> None:
        dismissed = ReadItem.objects.filter(viewer=self.viewer, is_dismissed=True).order_by("notification")
        ids = list(dismissed.values_list("notification", flat=True))
        if ids:
            restore(viewer_id=self.viewer.pk, ids=[ids[number % len(ids)]])

    @rule(which=WHICH_TAB)
    def read_all(self, which: int) -> None:
        mark_read(viewer_id=self.viewer.pk, positions=self.tabs[which].positions)

    @rule(which=WHICH_TAB)
    def lose_the_connection(self, which: int) -> None:
        if self.tabs[which].connection:
            self.run(self.tabs[which].disconnect())

    @rule(which=WHICH_TAB, answers_come_late=st.booleans())
    def come_back(self, which: int, answers_come_late: bool) -> None:
        Walk.slow.is_slow = answers_come_late
        if not self.tabs[which].connection:
            self.run(self.tabs[which].connect())

    @rule(number=st.integers(0, 3))
    def a_late_answer_comes(self, number: int) -> None:
        async def come() -> None:
            Walk.slow.let_go(number)

        self.run(come())

    @rule()
    def tick_and_compare(self) -> None:
        for which in range(len(self.tabs)):
            self.come_back(which, answers_come_late=False)
        while self.asking:
            self.a_late_answer_comes(-1)
        for _ in range(2):  # the second one tells what was read while the first one reset
            self.run(tick.tick(self.hub))
        fresh = inbox(viewer_id=self.viewer.pk, limit=100).entries
        newest = dict(Notification.objects.filter(pk__in=[entry.id for entry in fresh]).values_list("pk", "revision"))
        for tab in self.tabs:
            self.compare(tab, fresh, newest)

    def compare(self, tab: Tab, fresh: Sequence[InboxEntry], newest: Mapping[int, int]) -> None:
        """`newest` has the revision of each notification."""
        assert sorted(tab.cards) == sorted(entry.id for entry in fresh)
        for entry in fresh:
            card = tab.cards[entry.id]
            assert card.read == entry.read
            if entry.revision == newest[entry.id]:  # else it changed after the viewer had left
                assert (card.revision, card.title, card.recalled) == (entry.revision, entry.title, entry.recalled)

    def teardown(self) -> None:
        try:
            self.tick_and_compare()
        finally:
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.loop.close()


@pytest.fixture
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything happens on the test's own thread, when a walk says so."""
    monkeypatch.setattr(batching, "in_thread", late_at_times)
    monkeypatch.setattr(batching, "GATHER_SECONDS", 0)
    for module in (healing, tick):
        monkeypatch.setattr(module, "in_thread", at_once)
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    monkeypatch.setattr(tick, "GRACE_SECONDS", 0)
    monkeypatch.setattr(push, "_send_soon", lambda message: None)  # every hint of a read or a change is lost
    monkeypatch.setattr(tick, "read_facts", with_a_good_token(tick.read_facts))
    monkeypatch.setattr(Walk, "another", a_viewer(), raising=False)
    monkeypatch.setattr(Walk, "database", connections["default"], raising=False)
    execute("SET synchronous_commit TO off")  # nothing is to outlive the test: no commit waits for the disk
    yield
    execute("RESET synchronous_commit")


@pytest.mark.usefixtures("_one_thread")
def test_what_a_client_holds_always_equals_a_fresh_load() -> None:
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=2000 if os.environ.get("OTT_SOAK") else 200,
            stateful_step_count=30,
            deadline=None,
            phases=set(Phase) - {Phase.explain},  # of thirty steps it takes longer than all the rest
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.usefixtures("_one_thread")
def test_of_two_who_resume_the_one_whose_older_snapshot_comes_last_misses_nothing() -> None:
    # Given two tabs that follow what nobody on their gateway has followed so far, and a posting between their snapshots
    walk = Walk()
    walk.begin()
    walk.come_back(0, answers_come_late=True)
    walk.tell_without_being_followed("everybody")
    walk.come_back(1, answers_come_late=True)

    # When the later snapshot is answered first
    walk.a_late_answer_comes(1)

    # Then both hold what was posted
    walk.teardown()


@pytest.mark.usefixtures("_one_thread")
def test_when_the_database_has_gone_back_all_load_their_lists_again_and_go_on() -> None:
    # Given a tab that is live, and a database that is set back to before what it holds
    walk = Walk()
    walk.begin()
    for _ in range(3):
        walk.tell_without_being_followed("everybody")
    walk.come_back(0, answers_come_late=False)
    held = Posting.objects.filter(topic__name=PLATFORM).order_by("seq")
    Topic.objects.filter(name=PLATFORM).update(head=held[0].seq)
    Notification.objects.filter(pk__in=[posting.notification_id for posting in held[1:]]).delete()

    # When another one comes
    walk.come_back(1, answers_come_late=False)

    # Then both hold what is there, and what is posted from now on
    walk.tell_without_being_followed("everybody")
    walk.teardown()


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def with_a_good_token(read_facts: Callable[..., tick.Facts]) -> Callable[..., tick.Facts]:
    """The tab's token is not in the database; whether tokens hold is tested over sockets."""

    def read(*args: Any) -> tick.Facts:
        facts = read_facts(*args)
        return tick.Facts(facts.epoch, facts.heads, facts.viewers, facts.sessions, frozenset({TOKEN}))

    return read
