"""Mistakes in a topology are found before anything runs, all at once; and the small tools around it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from broker import backoff
from broker.errors import InvalidTopology
from broker.management.tables import table
from broker.membership import _share
from broker.topology import Binding, Exchange, ExchangeType, Group, Semantics, Stream, Topology, WorkQueue
from broker.validation import check, problems

FRACTION: Any = 1.5  # which no header of ours can be
HANDLER = "tests.support.broker_app.do_job"

good = Topology(
    exchanges=(
        Exchange(name="news", type=ExchangeType.TOPIC, alternate="rest"),
        Exchange(name="rest", type=ExchangeType.FANOUT),
        Exchange(name="marked", type=ExchangeType.HEADERS),
    ),
    streams=(Stream(name="log"),),
    queues=(WorkQueue(name="jobs", handler=HANDLER),),
    bindings=(
        Binding(exchange="news", routing_key="a.#", to="log"),
        Binding(exchange="news", routing_key="b", to="marked"),
        Binding(exchange="rest", to="jobs"),
        Binding(exchange="marked", headers={"x-match": "any", "p": 1}, to="jobs"),
    ),
    groups=(Group(name="readers", stream="log", handlers={"t": HANDLER}),),
)


def with_binding(binding: Binding) -> Topology:
    return replace(good, bindings=(*good.bindings, binding))


def test_a_good_topology_has_no_problems() -> None:
    check(good)


@pytest.mark.parametrize(
    ("topology", "problem"),
    [
        (
            with_binding(Binding(exchange="old", to="log")),
            "The binding 'old' → 'log' by {} starts at an unknown exchange.",
        ),
        (
            with_binding(Binding(exchange="rest", to="lgo")),
            "The binding 'rest' → 'lgo' by {} leads to an unknown exchange, stream or queue.",
        ),
        (
            replace(good, exchanges=(*good.exchanges, Exchange(name="log", type=ExchangeType.FANOUT))),
            "The name 'log' stands for more than one exchange, stream or queue.",
        ),
        (
            replace(good, groups=good.groups * 2),
            "The name 'readers' stands for more than one group.",
        ),
        (
            replace(good, streams=(*good.streams, Stream(name="Big Log"))),
            "'Big Log' is no name for any exchange, stream or queue: it must match [a-z][a-z0-9_.-]{0,127}.",
        ),
        (
            replace(good, streams=(Stream(name="log", partitions=0),)),
            "Stream 'log' has 0 partitions: it needs at least 1.",
        ),
        (
            replace(good, streams=(Stream(name="log", max_age=timedelta()),)),
            "Stream 'log' has a max_age of 0:00:00: everything would be too old.",
        ),
        (
            replace(good, streams=(Stream(name="log", partitions=4, max_bytes=3),)),
            "Stream 'log' has 3 max_bytes: it needs at least 1 a partition.",
        ),
        (
            replace(good, streams=(Stream(name="log", trim_unread=True),)),
            "Stream 'log' has trim_unread, but neither max_age nor max_bytes to trim by.",
        ),
        (
            replace(good, queues=(WorkQueue(name="jobs", handler=HANDLER, max_attempts=0),)),
            "Queue 'jobs' has 0 max_attempts: it needs at least 1.",
        ),
        (
            replace(good, queues=(WorkQueue(name="jobs", handler=HANDLER, lease_seconds=0),)),
            "Queue 'jobs' has a lease of 0 seconds.",
        ),
        (
            replace(good, queues=(WorkQueue(name="jobs", handler=HANDLER, lane=""),)),
            "Queue 'jobs' has no lane.",
        ),
        (
            replace(good, queues=(WorkQueue(name="jobs", handler="tests.support.broker_app.do_jbo"),)),
            "Queue 'jobs' has the handler 'tests.support.broker_app.do_jbo', which cannot be had",
        ),
        (
            replace(good, groups=(Group(name="readers", stream="log", handlers={"t": "no.such.module.f"}),)),
            "Group 'readers' has the handler 'no.such.module.f', which cannot be had",
        ),
        (
            replace(good, groups=(Group(name="readers", stream="lgo", handlers={}),)),
            "Group 'readers' reads 'lgo', which is no stream.",
        ),
        (
            replace(good, groups=(Group(name="readers", stream="log", handlers={"t": HANDLER}, batch=0),)),
            "Group 'readers' has 0 messages in a batch: it needs at least 1.",
        ),
        (
            replace(
                good,
                groups=(
                    Group(
                        name="readers",
                        stream="log",
                        handlers={"t": HANDLER},
                        batch=2,
                        semantics=Semantics.AT_LEAST_ONCE,
                    ),
                ),
            ),
            "Group 'readers' has batches of 2, which only exactly_once can take back.",
        ),
        (
            replace(good, groups=(Group(name="readers", stream="log", handlers={}),)),
            "Group 'readers' has no handlers.",
        ),
        (
            replace(good, exchanges=(replace(good.exchanges[0], alternate="rset"), *good.exchanges[1:])),
            "Exchange 'news' has the alternate 'rset', which is no exchange.",
        ),
        (
            with_binding(good.bindings[0]),
            "The binding 'news' → 'log' by 'a.#' is there twice.",
        ),
        (
            with_binding(Binding(exchange="news", routing_key="a", headers={"p": 1}, to="log")),
            "has headers, which a topic exchange never looks at.",
        ),
        (
            with_binding(Binding(exchange="rest", routing_key="a", to="log")),
            "has a routing key, which a fanout exchange never looks at.",
        ),
        (
            with_binding(Binding(exchange="marked", headers={"x-match": "some", "p": 1}, to="log")),
            "has the x-match 'some', which is none of all, any, all-with-x, any-with-x.",
        ),
        (
            with_binding(Binding(exchange="marked", headers={"x-match": "any", "x-p": 1}, to="log")),
            "can never match: any of no headers.",
        ),
        (
            with_binding(Binding(exchange="news", routing_key=f"#.{'x' * 200}.*.{'y' * 60}", to="log")),
            "can never match: a routing key has at most 255 bytes.",
        ),
        (
            with_binding(Binding(exchange="rest", to="news")),
            "Messages would go in a circle: news → rest → news.",
        ),
        (
            with_binding(Binding(exchange="marked", headers={"p": FRACTION}, to="log")),
            "can never match: headers.p: must be text, int or bool, not float.",
        ),
        (
            with_binding(Binding(exchange="marked", headers={"p": 1, "q": 2**63}, to="log")),
            "can never match: headers.q: does not fit in 64 bits.",
        ),
        (
            with_binding(Binding(exchange="marked", headers={"x-match": "any", "p": 2**63}, to="log")),
            "can never match: any of headers.p: does not fit in 64 bits.",
        ),
        (
            with_binding(Binding(exchange="news", routing_key="a.\0", to="log")),
            "can never match: no routing key holds a NUL character.",
        ),
        (
            replace(good, streams=(*good.streams, Stream(name="unheard"))),
            "Stream 'unheard' never gets a message: no binding leads to it.",
        ),
        (
            replace(good, queues=(*good.queues, WorkQueue(name="unheard", handler=HANDLER))),
            "Queue 'unheard' never gets a message: no binding leads to it.",
        ),
        (
            replace(good, exchanges=(*good.exchanges, Exchange(name="void", type=ExchangeType.DIRECT))),
            "Exchange 'void' leads nowhere: it has neither a binding nor an alternate.",
        ),
        (
            with_binding(Binding(exchange="news", routing_key="#", to="log")),
            "The alternate of 'news' never gets a message: The binding 'news' → 'log' by '#' takes every one.",
        ),
        (
            replace(
                with_binding(Binding(exchange="marked", to="log")),
                exchanges=(*good.exchanges[:2], replace(good.exchanges[2], alternate="rest")),
            ),
            "The alternate of 'marked' never gets a message",
        ),
    ],
)
def test_a_mistake_is_named(topology: Topology, problem: str) -> None:
    assert any(problem in found for found in problems(topology)), problems(topology)


def test_one_mistake_is_reported_once() -> None:
    assert problems(with_binding(Binding(exchange="rest", to="news"))) == [
        "Messages would go in a circle: news → rest → news."
    ]


def test_every_mistake_is_reported_at_once() -> None:
    bad = replace(
        good,
        streams=(Stream(name="log", partitions=0),),
        bindings=(*good.bindings, Binding(exchange="old", to="new")),
        groups=(Group(name="readers", stream="lgo", handlers={"t": "no.handler"}),),
    )

    with pytest.raises(InvalidTopology) as refused:
        check(bad)
    assert len(refused.value.problems) == 5, refused.value.problems
    assert all(problem in str(refused.value) for problem in refused.value.problems)


@pytest.mark.parametrize(("partitions", "members"), [(1, 1), (2, 3), (4, 3), (7, 2), (8, 8), (3, 10)])
def test_shares_are_fair_and_add_up(partitions: int, members: int) -> None:
    shares = [_share(partitions, members, rank) for rank in range(members)]

    assert sum(shares) == partitions
    assert max(shares) - min(shares) <= 1


def test_backoff_grows_to_its_cap_with_full_jitter() -> None:
    for attempts, most in ((1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (1000, 60.0)):
        delays = [backoff.delay_after(attempts) for _ in range(200)]
        assert 0 <= min(delays) < most / 4
        assert most * 3 / 4 < max(delays) <= most


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert table(("name", "n"), [("a", 1), ("longer", 22)]) == "name     n\n------  --\na        1\nlonger  22"
