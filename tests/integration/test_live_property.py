"""Whatever happens, what a client holds equals a fresh load: random walks over a hub on a real database."""

import asyncio
import itertools
import json
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
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
from notifications.models import Epoch, Notification, Part, Posting, ReadItem
from notifications.queries import inbox
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
TOKEN = 0  # the tick is told below that this one is good


async def at_once(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Instead of a thread, the test's own, on the connection of the walk: nobody else is to be served meanwhile."""
    await asyncio.sleep(0)
    connections["default"] = Walk.database  # Django would open another one for each task
    return function(*args, **kwargs)


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

    def __init__(self, hub: Hub, identity: Identity, load: Callable[[], Any]) -> None:
        self.hub = hub
        self.resumer = Resumer(hub)
        self.identity = identity
        self.load = load
        self.cards: dict[int, Card] = {}
        self.epoch = ""
        self.positions: dict[str, int] = {}
        self.items: dict[int, tuple[int, str]] = {}  # what was told of single ones: the revision, and the state
        self.marks: dict[str, int] = {}
        self.connection: Connection | None = None
        self.is_busy = False

    async def reload(self) -> None:
        page = await at_once(self.load)
        self.epoch, self.positions = page.epoch, page.positions
        self.items, self.marks = {}, {}
        self.cards = {e.id: Card(e.revision, e.title, e.recalled, e.read, e.positions) for e in page.entries}

    async def connect(self) -> None:
        self.outlet = SendOutlet(self.send)
        self.connection = Connection(self.identity, self.outlet)
        self.hub.join(self.connection)
        await self.resume()

    async def resume(self) -> None:
        assert self.connection is not None
        frame = Resume(type="resume", epoch=self.epoch, positions=self.positions)
        await self.resumer.resume(self.connection, frame)

    async def disconnect(self) -> None:
        assert self.connection is not None
        self.hub.leave(self.connection)
        self.outlet.stop()
        self.connection = None

    def is_idle(self) -> bool:
        is_out = self.connection is None or (self.connection.is_idle and self.outlet._outgoing is None)
        return is_out and not self.is_busy

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
                await self.resume()

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
    """One viewer, one tab, one hub; hints that get lost, doubled and reordered."""

    another: ClassVar[User]
    database: ClassVar[BaseDatabaseWrapper]

    @initialize()
    def begin(self) -> None:
        Epoch.objects.get_or_create(defaults={"value": EPOCH})
        while forget_postings(before=database_now()) or forget_notifications(before=database_now()):
            pass  # what earlier runs told everybody would be read in each later one
        run = next(_runs)
        self.loop = asyncio.new_event_loop()
        self.hub = Hub()
        self.pump = self.loop.create_task(self.hub.deliver_all())
        self.topics = [f"category:run{run}-{letter}" for letter in "abc"]
        self.viewer = a_viewer()
        self.subjects: list[str] = []
        self.numbers = itertools.count(1)
        self.episodes: list[list[int]] = [[], [], []]  # those that are out, by topic
        self.hints: list[Posted] = []
        self.run_number = run
        identity = Identity(self.viewer.pk, credential(self.viewer), token_id=TOKEN)
        self.tab = Tab(self.hub, identity, lambda: inbox(viewer_id=self.viewer.pk, limit=100))
        self.run(self.tab.reload())
        self.run(self.tab.connect())

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        async def and_settle() -> None:
            await work
            await asyncio.sleep(0)
            while not (self.hub._released.empty() and self.tab.is_idle()):
                await asyncio.sleep(0)

        self.loop.run_until_complete(and_settle())

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

    @rule(number=st.integers(0, 99), say=st.sampled_from([mark_read, mark_unread, dismiss]))
    def say_of_one(self, number: int, say: Callable[..., Any]) -> None:
        if self.tab.cards:
            ids = [sorted(self.tab.cards)[number % len(self.tab.cards)]]
            say(viewer_id=self.viewer.pk, ids=ids)

    @rule(number=st.integers(0, 99))
    def take_a_dismissal_back(self, number: int) -> None:
        dismissed = ReadItem.objects.filter(viewer=self.viewer, is_dismissed=True).order_by("notification")
        ids = list(dismissed.values_list("notification", flat=True))
        if ids:
            restore(viewer_id=self.viewer.pk, ids=[ids[number % len(ids)]])

    @rule()
    def read_all(self) -> None:
        mark_read(viewer_id=self.viewer.pk, positions=self.tab.positions)

    @rule()
    def lose_the_connection(self) -> None:
        if self.tab.connection:
            self.run(self.tab.disconnect())

    @rule()
    def come_back(self) -> None:
        if not self.tab.connection:
            self.run(self.tab.connect())

    @rule()
    def tick_and_compare(self) -> None:
        if not self.tab.connection:
            self.run(self.tab.connect())
        for _ in range(2):  # the second one tells what was read while the first one reset
            self.run(tick.tick(self.hub))
        fresh = inbox(viewer_id=self.viewer.pk, limit=100).entries
        newest = dict(Notification.objects.filter(pk__in=[entry.id for entry in fresh]).values_list("pk", "revision"))
        assert sorted(self.tab.cards) == sorted(entry.id for entry in fresh)
        for entry in fresh:
            card = self.tab.cards[entry.id]
            assert card.read == entry.read
            if entry.revision == newest[entry.id]:  # else it changed after the viewer had left
                assert (card.revision, card.title, card.recalled) == (entry.revision, entry.title, entry.recalled)

    def teardown(self) -> None:
        try:
            self.tick_and_compare()
        finally:
            self.tab.outlet.stop()
            self.pump.cancel()
            self.loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(self.loop), return_exceptions=True))
            self.loop.close()


def test_what_a_client_holds_always_equals_a_fresh_load(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (batching, healing, tick):
        monkeypatch.setattr(module, "in_thread", at_once)
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    monkeypatch.setattr(tick, "GRACE_SECONDS", 0)
    monkeypatch.setattr(push, "_send_soon", lambda message: None)  # every hint of a read or a change is lost
    monkeypatch.setattr(tick, "read_facts", with_a_good_token(tick.read_facts))
    monkeypatch.setattr(Walk, "another", a_viewer(), raising=False)
    monkeypatch.setattr(Walk, "database", connections["default"], raising=False)

    try:
        execute("SET synchronous_commit TO off")  # nothing is to outlive the test: no commit waits for the disk
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
    finally:
        execute("RESET synchronous_commit")


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def with_a_good_token(read_facts: Callable[..., tick.Facts]) -> Callable[..., tick.Facts]:
    """The tab's token is not in the database; whether tokens hold is tested over sockets."""

    def read(*args: Any) -> tick.Facts:
        facts = read_facts(*args)
        return tick.Facts(facts.epoch, facts.heads, facts.viewers, facts.sessions, frozenset({TOKEN}))

    return read
