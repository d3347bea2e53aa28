"""How many may come in, how a process sends them away, and that any ASGI server will do."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from notifications.commands import subscribe
from notifications.live import batching
from notifications.live.batching import AT_ONCE, Batcher
from notifications.live.protocol import Resume
from notifications.live.resume import UNCOUNTED, Snapshot, read_snapshots
from notifications.queries import inbox, unread_count
from notifications.read_commands import mark_read
from notifications.resume_queries import unread_counts

from .live_support import Client, LiveServer, push
from .notifications_support import MOVIES, a_viewer, post

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def small_web(test_database_url: str) -> Iterator[LiveServer]:
    environment = {"DATABASE_URL": test_database_url, "OTT_LIVE_MAX_CONNECTIONS": "2"}
    running = LiveServer(environment).wait_until_ready()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def plain_web(test_database_url: str) -> Iterator[LiveServer]:
    """A server that offers nothing beyond ASGI."""
    running = LiveServer({"DATABASE_URL": test_database_url}, "--ws=websockets-sansio").wait_until_ready()
    yield running
    running.stop()


def test_a_full_process_says_so_and_has_room_again_when_somebody_leaves(
    small_web: LiveServer, subscriber: User
) -> None:
    with Client(small_web, subscriber) as first:
        first.resume()
        with Client(small_web, subscriber) as second:
            second.resume()
            with Client(small_web, subscriber) as third:
                assert third.close_code() == 1013
                assert third.close_reason() == "full"
        with Client(small_web, subscriber) as fourth:
            assert fourth.resume()["type"] == "welcome"


def test_a_viewer_with_too_many_connections_gets_no_more_and_keeps_those_it_has(
    live_web: LiveServer, subscriber: User
) -> None:
    with ExitStack() as open_tabs:
        tabs = [open_tabs.enter_context(Client(live_web, subscriber)) for _ in range(settings.LIVE_MAX_PER_VIEWER)]
        for tab in tabs:
            tab.resume()
        with Client(live_web, subscriber) as one_more:
            assert one_more.close_code() == 4429

        push(post("To all tabs"))
        assert {tuple(tab.titles(1)) for tab in tabs} == {("To all tabs",)}


def test_a_server_without_the_extension_delivers_the_same(plain_web: LiveServer, subscriber: User) -> None:
    page = inbox(viewer_id=subscriber.pk)
    post("Missed")
    with Client(plain_web, subscriber) as client:
        client.resume(page.epoch, page.positions)
        titles = [f"Live {number}" for number in range(20)]
        for title in titles:
            push(post(title))

        assert client.titles(21) == ["Missed", *titles]
        client.send(type="dance")
        assert client.next("error")["code"] == "unknown-type"


def test_a_stopping_process_gives_each_client_a_time_of_its_own(test_database_url: str, subscriber: User) -> None:
    web = LiveServer({"DATABASE_URL": test_database_url}).wait_until_ready()
    with ExitStack() as tabs:
        clients = [tabs.enter_context(Client(web, subscriber)) for _ in range(5)]
        for client in clients:
            client.resume()
        with ThreadPoolExecutor() as pool:
            stopping = pool.submit(web.stop)
            assert [client.close_code() for client in clients] == [1012] * 5
            stopping.result()
        reasons = [client.close_reason() for client in clients]

    delays = [re.fullmatch(r"retry after (\d+\.\d)", reason) for reason in reasons]
    assert all(delays), reasons
    assert len(set(reasons)) > 1


async def test_questions_asked_together_are_answered_together_and_each_gets_its_own_answer() -> None:
    batches: list[int] = []

    def handle(questions: list[int]) -> list[int | Exception]:
        batches.append(len(questions))
        return [LookupError(question) if question % 7 == 0 else question * 2 for question in questions]

    batcher = Batcher(handle, per_second=100_000)
    answers = await asyncio.gather(*(batcher.ask(number) for number in range(1, 301)), return_exceptions=True)

    assert [isinstance(answer, LookupError) for answer in answers] == [number % 7 == 0 for number in range(1, 301)]
    assert all(answer == 2 * number for number, answer in enumerate(answers, start=1) if number % 7)
    assert max(batches) <= AT_ONCE
    assert len(batches) < 20


async def test_who_asks_in_the_turn_in_which_the_last_worker_ends_is_answered_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "WORKERS", 1)
    batcher = Batcher[int, int](lambda questions: questions, per_second=100_000)

    async with asyncio.timeout(10):
        answers = [await batcher.ask(number) for number in range(5)]  # each in the turn in which the last was answered

    assert answers == [0, 1, 2, 3, 4]


def test_nothing_is_counted_for_a_crowd_and_what_it_missed_is_read_all_the_same() -> None:
    viewers = [a_viewer().pk for _ in range(UNCOUNTED)]
    for viewer_id in viewers:
        subscribe(viewer_id=viewer_id, topic=MOVIES)
    page = inbox(viewer_id=viewers[0])
    post("Low Tide")
    asked = [(viewer_id, Resume(type="resume")) for viewer_id in viewers]
    asked[0] = (viewers[0], Resume(type="resume", epoch=page.epoch, positions=page.positions))

    crowd, few = read_snapshots(asked), read_snapshots(asked[:-1])

    for snapshots, unread in ((crowd, None), (few, 1)):
        for snapshot in snapshots:
            assert isinstance(snapshot, Snapshot)
            assert snapshot.reads is not None
            assert snapshot.reads.unread == unread
        assert isinstance(snapshots[0], Snapshot)
        assert len(snapshots[0].missed.postings) == 1


def test_a_crowd_is_read_by_as_many_statements_as_a_few() -> None:
    viewers = [a_viewer().pk for _ in range(AT_ONCE)]
    for viewer_id in viewers:
        subscribe(viewer_id=viewer_id, topic=MOVIES)
    held = {viewer_id: inbox(viewer_id=viewer_id) for viewer_id in viewers}
    post("Low Tide")
    asked = [(pk, Resume(type="resume", epoch=page.epoch, positions=page.positions)) for pk, page in held.items()]

    with CaptureQueriesContext(connection) as few:
        read_snapshots(asked[:UNCOUNTED])
    with CaptureQueriesContext(connection) as crowd:
        snapshots = read_snapshots(asked)

    assert len(crowd) == len(few) <= 9
    assert [len(one.missed.postings) for one in snapshots if isinstance(one, Snapshot)] == [1] * AT_ONCE


def test_the_counts_of_many_are_those_of_each_and_one_query() -> None:
    viewers = [a_viewer().pk for _ in range(3)]
    for viewer_id in viewers[1:]:
        subscribe(viewer_id=viewer_id, topic=MOVIES)
    for title in ("Low Tide", "High Tide"):
        post(title)
    mark_read(viewer_id=viewers[2], positions={MOVIES: 1})

    with CaptureQueriesContext(connection) as queries:
        counts = unread_counts(viewers)

    assert counts == [unread_count(viewer_id=viewer_id) for viewer_id in viewers] == [0, 2, 1]
    assert sum("WITH ORDINALITY" in query["sql"] for query in queries) == 1
