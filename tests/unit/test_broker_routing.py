"""Routing: the four exchange types, exchanges bound to exchanges, alternates; against a naive reading of AMQP."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import topics
from broker.messages import HeaderValue, Message
from broker.routing import partition_for, route
from broker.topology import Binding, Exchange, ExchangeType, Stream, Topology, WorkQueue

QUEUES = tuple("abcdef")


def topology(
    kind: ExchangeType, *bindings: Binding, more: tuple[Exchange, ...] = (), alternate: str | None = None
) -> Topology:
    return Topology(
        exchanges=(Exchange(name="x", type=kind, alternate=alternate), *more),
        streams=(Stream(name="log"),),
        queues=tuple(WorkQueue(name=name, handler="unused") for name in QUEUES),
        bindings=bindings,
        groups=(),
    )


def message(routing_key: str = "", **headers: HeaderValue) -> Message:
    return Message(type="t", data={}, key="k", exchange="x", routing_key=routing_key, headers=named(headers))


def named(headers: dict[str, HeaderValue]) -> dict[str, HeaderValue]:
    """Python has no dashes in names: `x_speed` stands for `x-speed`."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def by(routing_key: str, to: str = "a") -> Binding:
    return Binding(exchange="x", routing_key=routing_key, to=to)


def names(topology: Topology, message: Message) -> list[str]:
    return [place.name for place in route(message, topology)]


def test_direct_matches_the_routing_key_to_the_letter() -> None:
    given_ = topology(ExchangeType.DIRECT, by("one", "a"), by("one", "b"), by("two", "c"), by("", "d"))

    assert names(given_, message("one")) == ["a", "b"]
    assert names(given_, message("")) == ["d"]
    assert names(given_, message("One")) == []


def test_fanout_sends_everywhere_once() -> None:
    given_ = topology(ExchangeType.FANOUT, by("", "b"), by("", "a"), by("", "log"))

    assert names(given_, message("whatever")) == ["b", "a", "log"]


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a.b", ["a.b"], ["a", "a.b.c", "a.c", ""]),
        ("a.*", ["a.b", "a.c", "a."], ["a", "a.b.c", "b.a"]),
        ("*.a", ["b.a", ".a"], ["a", "c.b.a"]),
        ("a.#", ["a", "a.b", "a.b.c"], ["b", "", "ab"]),
        ("#.a", ["a", "b.a", "c.b.a"], ["a.b"]),
        ("#", ["", "a", "a.b.c", "."], []),
        ("*", ["a"], ["", "a.b"]),
        ("", [""], ["a"]),
        ("a.#.b", ["a.b", "a.c.b", "a.b.b", "a.c.d.b"], ["a", "b", "a.b.c"]),
        ("#.#", ["", "a", "a.b"], []),
        ("*.#", ["a", "a.b"], [""]),
        ("#.*", ["a", "a.b"], [""]),
        ("*.*", ["a.b", "."], ["a", "a.b.c"]),
        ("a..b", ["a..b"], ["a.b", "a.c.b"]),
        ("rel*", ["rel*"], ["release"]),
        ("release.#.live", ["release.live", "release.sports.uk.live"], ["release.sports"]),
    ],
)
def test_topic_patterns_match_word_by_word(pattern: str, matching: list[str], other: list[str]) -> None:
    given_ = topology(ExchangeType.TOPIC, by(pattern))

    assert [key for key in matching if not names(given_, message(key))] == []
    assert [key for key in other if names(given_, message(key))] == []


def test_a_destination_matched_by_several_patterns_gets_the_message_once() -> None:
    given_ = topology(ExchangeType.TOPIC, by("#"), by("a.*"), by("*.b"), by("a.b"), by("a.#.b"))

    assert names(given_, message("a.b")) == ["a"]


def naive_topic_match(pattern: list[str], key: list[str]) -> bool:
    if not pattern:
        return not key
    if pattern[0] == "#":
        return any(naive_topic_match(pattern[1:], key[start:]) for start in range(len(key) + 1))
    return bool(key) and pattern[0] in ("*", key[0]) and naive_topic_match(pattern[1:], key[1:])


def split(text: str) -> list[str]:
    return text.split(".") if text else []


dotted = st.lists(st.sampled_from(["u", "v", "", "*", "#"]), max_size=5).map(".".join)
patterns = st.lists(st.sampled_from(["u", "v", "", "*", "#", "#"]), max_size=6).map(".".join)


@given(st.lists(st.tuples(patterns, st.sampled_from(QUEUES)), max_size=8), dotted)
def test_topic_routing_is_what_a_naive_matcher_says(bindings: list[tuple[str, str]], key: str) -> None:
    given_ = topology(ExchangeType.TOPIC, *(by(pattern, to) for pattern, to in bindings))

    expected = {to for pattern, to in bindings if naive_topic_match(split(pattern), split(key))}
    assert Counter(names(given_, message(key))) == Counter(expected)


@given(st.lists(st.tuples(patterns, st.sampled_from(QUEUES)), max_size=8), st.lists(dotted, min_size=2, max_size=12))
def test_what_earlier_keys_taught_the_matcher_does_not_change_its_answers(
    bindings: list[tuple[str, str]], keys: list[str]
) -> None:
    given_ = topology(ExchangeType.TOPIC, *(by(pattern, to) for pattern, to in bindings))

    for key in [*keys, *keys]:
        expected = [to for pattern, to in bindings if naive_topic_match(split(pattern), split(key))]
        assert names(given_, message(key)) == list(dict.fromkeys(expected))


def test_a_matcher_that_has_learnt_too_much_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "MAX_STEPS", 3)
    given_ = topology(ExchangeType.TOPIC, by("a.#", "a"), by("*.b.#.c", "b"), by("#.c", "c"))

    for key in ("a.b.c", "a.b", "b.b.x.c", "c", "x.y.z", "a.b.c"):
        expected = [
            to
            for to, pattern in zip("abc", ("a.#", "*.b.#.c", "#.c"), strict=True)
            if naive_topic_match(split(pattern), split(key))
        ]
        assert names(given_, message(key)) == expected


def test_many_hashes_do_not_take_forever() -> None:
    given_ = topology(ExchangeType.TOPIC, by(".".join(["#", "a"] * 20)))

    assert names(given_, message(".".join("a" * 120))) == ["a"]
    assert names(given_, message(".".join("a" * 120 + "b"))) == []


def bound(to: str = "a", **headers: HeaderValue) -> Binding:
    return Binding(exchange="x", to=to, headers=named(headers))


@pytest.mark.parametrize(
    ("binding", "matching", "other"),
    [
        (bound(x_match="all", p=1, q="s"), [message(p=1, q="s", r=2)], [message(p=1), message(p=1, q="t"), message()]),
        (bound(p=1), [message(p=1)], [message(p="1"), message(p=2), message()]),
        (bound(x_match="any", p=1, q="s"), [message(p=1), message(q="s", p=3)], [message(p=2), message()]),
        (bound(p=True), [message(p=True)], [message(p=1), message(p="true")]),
        (bound(p=1), [message(p=1)], [message(p=True)]),
        (bound(x_match="all", x_speed=1), [message(), message(x_speed=2)], []),
        (bound(x_match="all-with-x", x_speed=1), [message(x_speed=1)], [message(), message(x_speed=2)]),
        (bound(x_match="any", x_speed=1, p=1), [message(p=1)], [message(x_speed=1)]),
        (bound(x_match="any-with-x", x_speed=1, p=1), [message(p=1), message(x_speed=1)], [message()]),
        (bound(x_match="any"), [], [message(), message(p=1)]),
        (bound(), [message(), message(p=1)], []),
    ],
)
def test_headers_match_all_or_any_by_type_and_value(
    binding: Binding, matching: list[Message], other: list[Message]
) -> None:
    given_ = topology(ExchangeType.HEADERS, binding)

    assert [each.headers for each in matching if not names(given_, each)] == []
    assert [each.headers for each in other if names(given_, each)] == []


header_sets = st.dictionaries(st.sampled_from(["p", "q", "x-r"]), st.sampled_from([0, 1, False, True, "1"]), max_size=3)


@given(header_sets, header_sets, st.sampled_from([None, "all", "any", "all-with-x", "any-with-x"]))
def test_headers_routing_is_what_a_naive_matcher_says(
    wanted: dict[str, HeaderValue], got: dict[str, HeaderValue], mode: str | None
) -> None:
    given_ = topology(
        ExchangeType.HEADERS,
        Binding(exchange="x", to="a", headers=wanted | ({"x-match": mode} if mode else {})),
    )
    compared = [name for name in wanted if "with-x" in (mode or "") or not name.startswith("x-")]
    hits = [name for name in compared if repr(got.get(name)) == repr(wanted[name])]
    expected = bool(hits) if (mode or "all").startswith("any") else hits == compared

    assert (
        bool(names(given_, Message(type="t", data={}, key="k", exchange="x", routing_key="", headers=got))) is expected
    )


def test_exchanges_bound_to_exchanges_are_followed_and_each_destination_is_reached_once() -> None:
    given_ = topology(
        ExchangeType.TOPIC,
        by("release.#", "y"),
        by("#", "a"),
        Binding(exchange="y", to="a"),
        Binding(exchange="y", to="z"),
        Binding(exchange="z", routing_key="release.one", to="log"),
        more=(Exchange(name="y", type=ExchangeType.FANOUT), Exchange(name="z", type=ExchangeType.DIRECT)),
    )

    assert names(given_, message("release.one")) == ["a", "log"]
    assert names(given_, message("release.two")) == ["a"]
    assert names(given_, message("other")) == ["a"]


def test_the_alternate_gets_what_no_binding_matched() -> None:
    given_ = topology(
        ExchangeType.DIRECT,
        by("known", "a"),
        Binding(exchange="rest", to="b"),
        more=(Exchange(name="rest", type=ExchangeType.FANOUT),),
        alternate="rest",
    )

    assert names(given_, message("known")) == ["a"]
    assert names(given_, message("unknown")) == ["b"]


def test_a_match_that_leads_nowhere_does_not_reach_the_alternate() -> None:
    # As in RabbitMQ: the alternate is for what the exchange itself had no binding for.
    given_ = topology(
        ExchangeType.DIRECT,
        by("known", "empty"),
        Binding(exchange="rest", to="b"),
        more=(Exchange(name="rest", type=ExchangeType.FANOUT), Exchange(name="empty", type=ExchangeType.DIRECT)),
        alternate="rest",
    )

    assert names(given_, message("known")) == []


def test_exchanges_in_a_circle_end() -> None:
    given_ = topology(
        ExchangeType.FANOUT,
        Binding(exchange="x", to="y"),
        Binding(exchange="y", to="x"),
        Binding(exchange="y", to="a"),
        more=(Exchange(name="y", type=ExchangeType.FANOUT),),
    )

    assert names(given_, message()) == ["a"]


def test_an_exchange_that_left_the_topology_routes_nowhere() -> None:
    lost = Message(type="t", data={}, key="k", exchange="gone", routing_key="")

    assert route(lost, topology(ExchangeType.FANOUT, by("", "a"))) == ()


@given(st.text(min_size=1, max_size=40), st.integers(1, 50))
def test_a_partition_is_within_range_and_always_the_same(key: str, partitions: int) -> None:
    assert 0 <= partition_for(key, partitions) < partitions
    assert partition_for(key, partitions) == partition_for(key, partitions)


def test_partitions_of_known_keys_never_change() -> None:
    # A change here would break the order of every key that is in flight during an upgrade.
    assert [partition_for(f"release:{n}", 8) for n in range(8)] == [1, 2, 2, 3, 6, 3, 0, 4]


def test_keys_spread_over_the_partitions() -> None:
    counts = Counter(partition_for(f"release:{n}", 4) for n in range(4000))

    assert all(900 < counts[partition] < 1100 for partition in range(4))
