"""The order of postings, without clock or I/O."""

import random

from hypothesis import given
from hypothesis import strategies as st

from notifications.live.frames import Frame
from notifications.live.order import Hole, Release, Sequencer
from notifications.live.posted import Posted

TOPICS = ("a", "b", "c")


def posted(number: int, **positions: int) -> Posted:
    return Posted(
        notification=number,
        revision=1,
        shown=1,
        positions=positions,
        kind="premiere",
        maturity=0,
        posted_at=float(number),
        expires_at=None,
        frame=Frame("{}"),
    )


def tracking(**heads: int) -> Sequencer:
    sequencer = Sequencer()
    sequencer.track(heads)
    sequencer.settle(heads)
    return sequencer


def released(releases: list[Release]) -> list[int]:
    return [release.posted.notification for release in releases]


def test_the_next_one_is_released_at_once() -> None:
    assert released(tracking(a=4).accept(posted(1, a=5))) == [1]


def test_a_later_one_waits_for_the_one_before() -> None:
    sequencer = tracking(a=0)

    assert released(sequencer.accept(posted(2, a=2))) == []
    assert sequencer.holes() == [Hole("a", 1, 1)]
    assert released(sequencer.accept(posted(1, a=1))) == [1, 2]
    assert not sequencer.is_waiting()


def test_duplicates_release_nothing() -> None:
    sequencer = tracking(a=0)
    sequencer.accept(posted(1, a=1))

    assert released(sequencer.accept(posted(1, a=1))) == []


def test_one_in_two_topics_waits_for_both() -> None:
    sequencer = tracking(a=0, b=0)

    assert released(sequencer.accept(posted(3, a=1, b=2))) == []
    assert sequencer.holes() == [Hole("b", 1, 1)]
    assert released(sequencer.accept(posted(1, b=1))) == [1, 3]


def test_topics_that_nobody_follows_do_not_hold_anything_up() -> None:
    releases = tracking(a=0).accept(posted(1, a=1, z=99))

    assert [release.topics for release in releases] == [("a",)]


def test_a_topic_whose_place_is_not_known_yet_holds_up_until_it_is() -> None:
    sequencer = tracking(a=0)
    sequencer.track(["b"])

    assert released(sequencer.accept(posted(1, a=1, b=7))) == []
    assert sequencer.holes() == []
    assert [(r.posted.notification, r.topics) for r in sequencer.settle({"b": 7})] == [(1, ("a",))]


def test_a_snapshot_older_than_the_one_that_told_where_a_topic_stands_lacks_what_is_between() -> None:
    sequencer = tracking(a=5)
    sequencer.accept(posted(1, a=6))

    assert [sequencer.begins_above({"a": head, "b": 0}) for head in (4, 5, 6)] == [True, False, False]

    sequencer.forget(["a"])
    sequencer.track(["a"])
    assert not sequencer.begins_above({"a": 4})


def test_a_topic_that_is_followed_no_longer_holds_nothing_up() -> None:
    sequencer = tracking(a=0, b=0)
    sequencer.accept(posted(1, a=1, b=5))

    assert released(sequencer.forget(["b"])) == [1]
    assert not sequencer.is_waiting()


def test_what_the_database_does_not_have_is_passed_over() -> None:
    sequencer = tracking(a=0)
    sequencer.accept(posted(5, a=5))

    assert released(sequencer.give_up(Hole("a", 1, 4))) == [5]


def test_being_behind_is_seen_from_the_heads() -> None:
    assert tracking(a=3, b=2).behind({"a": 5, "b": 2, "z": 9}) == [Hole("a", 4, 5)]


@st.composite
def feeds(draw: st.DrawFn) -> tuple[list[Posted], list[Posted]]:
    """A history as the database wrote it, and what came of it: shuffled, doubled, some of it lost."""
    heads = dict.fromkeys(TOPICS, 0)
    history = []
    for number in range(draw(st.integers(1, 25))):
        topics = draw(st.sets(st.sampled_from(TOPICS), min_size=1))
        heads |= {topic: heads[topic] + 1 for topic in topics}
        history.append(posted(number, **{topic: heads[topic] for topic in topics}))
    arrived = draw(st.lists(st.sampled_from(history), max_size=60))
    return history, arrived


def fill(sequencer: Sequencer, holes: list[Hole], history: list[Posted]) -> list[Release]:
    """What a healer does: read the holes from the database."""
    releases = []
    for hole in holes:
        for found in history:
            if hole.low <= found.positions.get(hole.topic, 0) <= hole.high:
                releases += sequencer.accept(found)
    return releases


@given(feeds(), st.randoms(use_true_random=False))
def test_whatever_is_lost_doubled_or_reordered_each_topic_is_released_in_order_once(
    feed: tuple[list[Posted], list[Posted]], chance: random.Random
) -> None:
    history, arrived = feed
    sequencer = tracking(a=0, b=0, c=0)
    releases = []
    for one in arrived:
        releases += sequencer.accept(one)
        if chance.random() < 0.1:
            releases += fill(sequencer, sequencer.holes(), history)
    heads = {topic: max((one.positions.get(topic, 0) for one in history), default=0) for topic in TOPICS}
    while holes := sequencer.behind(heads):
        releases += fill(sequencer, holes, history)

    assert sorted(released(releases)) == [one.notification for one in history]
    for topic in TOPICS:
        seqs = [release.posted.positions[topic] for release in releases if topic in release.topics]
        assert seqs == list(range(1, heads[topic] + 1))
    assert not sequencer.is_waiting()
