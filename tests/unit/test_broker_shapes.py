"""What bindings make of messages: rename, project, retype, convert; and the mistakes that are found beforehand."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from broker import schemas
from broker.errors import InvalidMessage
from broker.flows import types_after, types_at
from broker.messages import Format, Message
from broker.routing import route
from broker.shape_checks import shape_problems
from broker.shapes import exchanges_to_plain_streams, shape
from broker.topology import Binding, Exchange, ExchangeType, Stream, Topology, WorkQueue
from broker.transforms import Convert, Project, Rename, Retype


class Wide(BaseModel):
    """What is published."""

    model_config = ConfigDict(extra="forbid")

    number: int
    name: str
    secret: str = ""


class Narrow(BaseModel):
    """What arrives."""

    model_config = ConfigDict(extra="forbid")

    number: int
    title: str


STEPS = (Project(("number", "name")), Rename({"name": "title"}), Retype({"thing.made": "card.made"}))

topology = Topology(
    exchanges=(Exchange(name="things", type=ExchangeType.TOPIC, types=("thing.made",)),),
    streams=(Stream(name="plain"), Stream(name="cards")),
    queues=(WorkQueue(name="jobs", handler="unused"),),
    bindings=(
        Binding(exchange="things", routing_key="thing.#", to="plain"),
        Binding(exchange="things", routing_key="thing.#", to="cards", transform=STEPS),
    ),
    groups=(),
)


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_registry", "_newest"):
        monkeypatch.setattr(schemas, name, dict(getattr(schemas, name)))
    schemas.register("thing.made", version=1)(Wide)
    schemas.register("card.made", version=1)(Narrow)


def thing(**data: Any) -> Message:
    data = {"number": 1, "name": "One", "secret": "s"} | data
    return Message(type="thing.made", data=data, key="k", exchange="things", routing_key="thing.made", position=7)


def test_each_place_gets_the_message_in_its_shape() -> None:
    message = thing()
    plain, card = (shape(message, place, topology) for place in route(message, topology))

    assert plain is message
    assert card == replace(message, type="card.made", data={"number": 1, "title": "One"})


@pytest.mark.parametrize(
    ("step", "data", "problem"),
    [
        (Project(("number", "price")), {}, "data.price: is missing"),
        (Rename({"price": "cost"}), {}, "data.price: is missing"),
        (Rename({"name": "secret"}), {}, "data.secret: is there already, so nothing can be renamed to it"),
        (Retype({"other": "card.made"}), {}, "type: 'thing.made' has no type to become"),
        (Retype({"thing.made": "card.made"}), {}, "data.title: Field required"),
        (Retype({"thing.made": "unheard"}), {}, "type: no schema is registered for 'unheard' version 1"),
    ],
)
def test_a_step_that_cannot_be_done_says_which_field_is_at_fault(step: Any, data: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        step(thing(**data))
    assert str(refused.value) == problem


def test_names_may_be_swapped() -> None:
    assert Rename({"name": "secret", "secret": "name"})(thing()).data == {"number": 1, "secret": "One", "name": "s"}


def test_a_message_without_a_shape_for_a_place_says_where_it_was_going() -> None:
    broken = replace(topology, bindings=(replace(topology.bindings[1], transform=(Project(("price",)),)),))

    with pytest.raises(InvalidMessage, match=r"data\.price: on the way to 'cards': is missing"):
        shape(thing(), topology.streams[1], broken)


def test_the_topology_knows_which_types_arrive_where() -> None:
    assert {name: list(types) for name, types in types_at(topology).items()} == {
        "things": ["thing.made"],
        "plain": ["thing.made"],
        "cards": ["thing.made"],
    }
    assert list(types_after(topology, "cards")) == ["card.made"]


@pytest.mark.parametrize(
    ("kind", "routing_key", "passes"),
    [
        (ExchangeType.TOPIC, "thing.*", True),
        (ExchangeType.TOPIC, "*.made.in.#", True),
        (ExchangeType.TOPIC, "#.done", True),
        (ExchangeType.TOPIC, "thing", False),
        (ExchangeType.TOPIC, "other.#", False),
        (ExchangeType.DIRECT, "thing.made", True),
        (ExchangeType.DIRECT, "thing.made.here", True),
        (ExchangeType.DIRECT, "thing", False),
        (ExchangeType.FANOUT, "", True),
        (ExchangeType.HEADERS, "", True),
    ],
)
def test_a_binding_carries_the_types_whose_routing_keys_can_match(
    kind: ExchangeType, routing_key: str, passes: bool
) -> None:
    one = replace(
        topology,
        exchanges=(replace(topology.exchanges[0], type=kind),),
        bindings=(Binding(exchange="things", routing_key=routing_key, to="plain"),),
    )
    assert ("thing.made" in types_at(one).get("plain", {})) is passes


def test_types_flow_through_exchanges_and_alternates() -> None:
    first, second = (Exchange(name=name, type=ExchangeType.FANOUT) for name in ("first", "second"))
    chain = replace(
        topology,
        exchanges=(replace(topology.exchanges[0], alternate="first"), first, second),
        bindings=(Binding(exchange="second", to="plain"), Binding(exchange="first", to="second")),
    )
    assert list(types_at(chain)["plain"]) == ["thing.made"]


def test_a_topology_whose_shapes_fit_has_no_problems() -> None:
    assert list(shape_problems(topology)) == []


def with_steps(*steps: Any, to: str = "cards") -> Topology:
    binding = Binding(exchange="things", routing_key="thing.#", to=to, transform=steps)
    return replace(topology, bindings=(topology.bindings[0], binding))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (with_steps(Project(("price",))), "'thing.made' on its way to 'cards': data.price: is missing."),
        (with_steps(Retype({"thing.made": "card.made"})), "'card.made' would lack title"),
        (with_steps(Retype({"thing.made": "card.made"})), "'card.made' has no name, secret"),
        (with_steps(Retype({})), "type: 'thing.made' has no type to become"),
        (with_steps(*STEPS[:2], Retype({"thing.made": "card.made"}, version=2)), "'card.made' version 2"),
        (with_steps(Convert(Format.AVRO), to="jobs"), "Queue 'jobs' would get converted messages"),
        (with_steps(*STEPS, to="plain"), "Bindings transform differently on the way to 'plain'"),
        (
            replace(with_steps(*STEPS, to="x"), exchanges=(*topology.exchanges, Exchange(name="x", type="fanout"))),  # type: ignore[arg-type]
            "The binding 'things' → 'x' transforms on the way to an exchange",
        ),
        (
            replace(topology, exchanges=(replace(topology.exchanges[0], types=("thing.unheard",)),)),
            "'thing.unheard' on its way to 'cards': no schema is registered for it",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_found_beforehand(wrong: Topology, problem: str) -> None:
    assert any(problem in each for each in shape_problems(wrong))


def test_data_that_avro_has_no_shape_for_is_found_beforehand() -> None:
    class Free(BaseModel):
        model_config = ConfigDict(extra="forbid")

        anything: dict[str, Any]

    schemas.register("thing.made", version=2)(Free)
    avro = replace(topology, streams=(replace(topology.streams[0], format=Format.AVRO),))

    problems = list(shape_problems(avro))
    assert any("thing.made.v2.anything has no shape that Avro knows" in problem for problem in problems)


def test_messages_that_reach_plain_streams_alone_are_known_by_their_exchange() -> None:
    def leading_to(name: str, to: str, alternate: str | None = None) -> tuple[Exchange, Binding]:
        return (
            Exchange(name=name, type=ExchangeType.FANOUT, alternate=alternate),
            Binding(exchange=name, to=to),
        )

    ways = (
        leading_to("direct", "plain"),
        leading_to("by-another", "direct"),
        leading_to("to-a-queue", "jobs"),
        leading_to("shaped-behind-another", "things"),
        leading_to("shaped-behind-its-alternate", "plain", "things"),
    )
    whole = replace(
        topology,
        exchanges=(*topology.exchanges, *(exchange for exchange, _ in ways)),
        bindings=(*topology.bindings, *(binding for _, binding in ways)),
    )

    assert exchanges_to_plain_streams(whole) == ("direct", "by-another")
