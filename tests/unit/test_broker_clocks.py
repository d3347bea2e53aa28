"""What the clocks order, and what they do not."""

import timeit
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import logical_clock
from broker.logical_clock import COUNTER_BITS, MAX_AHEAD_MS, HybridClock, as_text, observe, stamped
from broker.vector_clock import Order, VectorClock
from tests.support.broker_app import sample

NODES = ("web", "broker", "worker")
clocks = st.dictionaries(st.sampled_from(NODES), st.integers(1, 4)).map(VectorClock)
# One step of a run: which node does it, what its wall clock shows then, and whose last message it handles first.
STEPS = st.tuples(st.sampled_from(NODES), st.integers(0, 500), st.none() | st.sampled_from(NODES))


class Wall:
    """A machine's clock that a test sets, back as well as forth."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def a_run(steps: list[tuple[str, int, str | None]]) -> list[tuple[VectorClock, int]]:
    """What both kinds of clock say of each step of nodes with clocks of their own that jump as they like."""
    walls = {node: Wall() for node in NODES}
    hybrids = {node: HybridClock(walls[node]) for node in NODES}
    vectors = dict.fromkeys(NODES, VectorClock())
    sent: dict[str, tuple[VectorClock, int]] = {}
    stamps = []
    for node, wall, cause in steps:
        walls[node].now = wall
        if cause in sent:
            vector, stamp = sent[cause]
            vectors[node] = vectors[node].merge(vector)
            assert hybrids[node].merge(stamp)
        vectors[node] = vectors[node].tick(node)
        sent[node] = (vectors[node], hybrids[node].tick())
        stamps.append(sent[node])
    return stamps


@given(st.lists(STEPS, max_size=30))
def test_whatever_machines_clocks_show_an_effect_is_stamped_after_its_cause(
    steps: list[tuple[str, int, str | None]],
) -> None:
    for (earlier, first), (later, second) in combinations(a_run(steps), 2):
        match earlier.compare(later):
            case Order.BEFORE:
                assert first < second
                assert as_text(first) < as_text(second)
            case order:
                assert order is Order.CONCURRENT  # the hybrid clock orders these, too, and means nothing by it


def test_a_clock_that_is_set_back_goes_on_upwards() -> None:
    wall = Wall(1_000_000)
    clock = HybridClock(wall)
    before = clock.tick()

    wall.now = 10
    after = [clock.tick() for _ in range(3)]

    assert before < after[0] < after[1] < after[2]
    assert after[0] >> COUNTER_BITS == 1_000_000


def test_a_clock_that_is_not_set_back_stays_with_the_time() -> None:
    wall = Wall(1_000)
    clock = HybridClock(wall)
    clock.tick()
    wall.now = 2_000

    assert clock.tick() >> COUNTER_BITS == 2_000


def test_a_full_counter_carries_over_into_the_milliseconds() -> None:
    clock = HybridClock(Wall(5))
    stamps = [clock.tick() for _ in range((1 << COUNTER_BITS) + 1)]

    assert stamps[-1] >> COUNTER_BITS == 6
    assert stamps == sorted(set(stamps))


def test_a_stamp_from_far_ahead_is_not_believed() -> None:
    clock = HybridClock(Wall(1_000))
    near, far = 1_000 + MAX_AHEAD_MS, 1_001 + MAX_AHEAD_MS

    assert clock.merge(near << COUNTER_BITS)
    assert not clock.merge(far << COUNTER_BITS)
    assert clock.tick() >> COUNTER_BITS == near


def test_without_a_message_between_them_clocks_apart_may_order_the_later_first() -> None:
    behind, ahead = HybridClock(Wall(1_000)), HybridClock(Wall(2_000))
    first = ahead.tick()
    second = behind.tick()  # later in truth, and nobody told it

    assert second < first


@pytest.mark.parametrize("hlc", ["", "not a stamp", "-1"])
def test_a_message_without_a_stamp_that_can_be_read_is_passed_over(hlc: str) -> None:
    observe(replace(sample(), hlc=hlc))

    assert int(stamped(sample()).hlc, 16) > 0


def test_stamping_a_message_costs_microseconds() -> None:
    message = sample()
    seconds = min(timeit.repeat(lambda: logical_clock.stamped(message), number=2_000, repeat=5)) / 2_000

    assert seconds < 100e-6  # some ten on an idle machine


# --- Vector clocks ---------------------------------------------------------------------------------------------------


@given(clocks, clocks)
def test_comparing_the_other_way_round_says_the_opposite(one: VectorClock, other: VectorClock) -> None:
    opposite = {Order.BEFORE: Order.AFTER, Order.AFTER: Order.BEFORE}
    order = one.compare(other)

    assert other.compare(one) is opposite.get(order, order)
    assert (order is Order.EQUAL) == (one == other)


@given(clocks, clocks, clocks)
def test_merging_is_commutative_associative_and_idempotent_and_forgets_nothing(
    a: VectorClock, b: VectorClock, c: VectorClock
) -> None:
    assert a.merge(b) == b.merge(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(a) == a
    assert a.is_within(a.merge(b))


@given(clocks, st.sampled_from(NODES))
def test_a_step_comes_after_all_that_was_known(clock: VectorClock, node: str) -> None:
    assert clock.tick(node).compare(clock) is Order.AFTER


def test_steps_that_do_not_know_of_each_other_are_concurrent() -> None:
    start = VectorClock({"web": 1})

    assert start.tick("broker").compare(start.tick("worker")) is Order.CONCURRENT


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "1"])
def test_a_count_that_makes_no_sense_is_refused_by_node(count: object) -> None:
    with pytest.raises(ValueError, match="count of 'web'"):
        VectorClock({"web": count})  # type: ignore[dict-item]  # what comes from outside may be anything
