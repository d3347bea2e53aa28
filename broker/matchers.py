"""How each type of exchange decides which bindings a message follows: compiled once, asked for every message.

Source: AMQP 0-9-1, section 3.1.3; RabbitMQ's documentation where that is silent (all-with-x, any-with-x, no words).
"""

from collections.abc import Mapping
from typing import Protocol

from .messages import HeaderValue, Message
from .topology import Binding, ExchangeType

X_MATCH = "x-match"
X_MATCH_WORDS = ("all", "any", "all-with-x", "any-with-x")


class Matcher(Protocol):
    """The bindings of one exchange."""

    def add(self, binding: Binding) -> None:
        """Learn a binding."""

    def match(self, message: Message) -> dict[str, None]:
        """The names that the message goes to: an ordered set."""


class DirectMatcher:
    """The routing key is the binding's, to the letter."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}

    def add(self, binding: Binding) -> None:
        self._names.setdefault(binding.routing_key, {})[binding.to] = None

    def match(self, message: Message) -> dict[str, None]:
        return self._names.get(message.routing_key, {})


class FanoutMatcher:
    """Everything goes everywhere."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, binding: Binding) -> None:
        self._names[binding.to] = None

    def match(self, message: Message) -> dict[str, None]:
        return self._names


def words(routing_key: str) -> list[str]:
    """A routing key's words; the empty key has none, while `a..b` has an empty one in the middle."""
    return routing_key.split(".") if routing_key else []


class _Node:
    """A place in the trie of patterns; `repeats` marks one reached by `#`, which swallows any word and stays."""

    __slots__ = ("children", "names", "repeats")

    def __init__(self, *, repeats: bool = False) -> None:
        self.children: dict[str, _Node] = {}
        self.names: dict[str, None] = {}
        self.repeats = repeats

    def child(self, word: str) -> "_Node":
        return self.children.setdefault(word, _Node(repeats=word == "#"))


class TopicMatcher:
    """Patterns of words: `*` stands for one word, `#` for none or more; so `a.#` matches `a`.

    All patterns are followed at once, word by word, so the cost grows with the key's length and the number of places
    that can still match, never exponentially with the number of `#`.
    """

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, binding: Binding) -> None:
        node = self._root
        for word in words(binding.routing_key):
            node = node.child(word)
        node.names[binding.to] = None

    def match(self, message: Message) -> dict[str, None]:
        places = _with_empty_steps([self._root])
        for word in words(message.routing_key):
            places = _with_empty_steps([after for place in places for after in _after(place, word)])
        return {name: None for place in places for name in place.names}


def _after(place: _Node, word: str) -> list[_Node]:
    found = [child for pattern in ("*", word) if (child := place.children.get(pattern))]
    return [*found, place] if place.repeats else found


def _with_empty_steps(places: list[_Node]) -> dict[_Node, None]:
    """These places and those that a `#` reaches from them without a word."""
    reached: dict[_Node, None] = {}
    for place in places:
        node: _Node | None = place
        while node is not None and node not in reached:
            reached[node] = None
            node = node.children.get("#")
    return reached


class HeadersMatcher:
    """The binding's headers are compared with the message's: all of them or any of them, by type and value.

    Headers whose names start with `x-` take part only with `all-with-x` and `any-with-x`.
    """

    def __init__(self) -> None:
        self._bindings: list[tuple[bool, dict[str, HeaderValue], str]] = []

    def add(self, binding: Binding) -> None:
        mode = str(binding.headers.get(X_MATCH, "all"))
        self._bindings.append((mode.startswith("any"), compared_headers(binding), binding.to))

    def match(self, message: Message) -> dict[str, None]:
        return {to: None for any_, wanted, to in self._bindings if _headers_match(any_, wanted, message.headers)}


def compared_headers(binding: Binding) -> dict[str, HeaderValue]:
    """The headers of a binding that take part in the comparison."""
    with_x = str(binding.headers.get(X_MATCH, "all")).endswith("-with-x")
    return {
        name: value
        for name, value in binding.headers.items()
        if name != X_MATCH and (with_x or not name.startswith("x-"))
    }


def _headers_match(any_: bool, wanted: Mapping[str, HeaderValue], got: Mapping[str, HeaderValue]) -> bool:
    # In AMQP a header has a type, so true is not 1, although Python says so.
    same = (name in got and type(got[name]) is type(value) and got[name] == value for name, value in wanted.items())
    return any(same) if any_ else all(same)


MATCHERS: Mapping[ExchangeType, type[Matcher]] = {
    ExchangeType.DIRECT: DirectMatcher,
    ExchangeType.TOPIC: TopicMatcher,
    ExchangeType.FANOUT: FanoutMatcher,
    ExchangeType.HEADERS: HeadersMatcher,
}
