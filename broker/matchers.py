"""How each type of exchange decides which bindings a message follows: compiled once, asked for every message.

Source: AMQP 0-9-1, section 3.1.3; RabbitMQ's documentation where that is silent (all-with-x, any-with-x, no words).
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Protocol

from .messages import Addressed, HeaderValue
from .topics import TopicMatcher
from .topology import Binding, ExchangeType

X_MATCH = "x-match"
X_MATCH_WORDS = ("all", "any", "all-with-x", "any-with-x")


class Matcher(Protocol):
    """The bindings of one exchange."""

    def add(self, binding: Binding) -> None:
        """Learn a binding; all are learnt before the first message is asked for."""

    def match(self, message: Addressed) -> Collection[str]:
        """The names that the message goes to, each once, in a stable order."""


class DirectMatcher:
    """The routing key is the binding's, to the letter."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}

    def add(self, binding: Binding) -> None:
        self._names.setdefault(binding.routing_key, {})[binding.to] = None

    def match(self, message: Addressed) -> Collection[str]:
        return self._names.get(message.routing_key, ())


class FanoutMatcher:
    """Everything goes everywhere."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, binding: Binding) -> None:
        self._names[binding.to] = None

    def match(self, message: Addressed) -> Collection[str]:
        return self._names


class HeadersMatcher:
    """The binding's headers are compared with the message's: all of them or any of them, by type and value.

    Headers whose names start with `x-` take part only with `all-with-x` and `any-with-x`. Each header of a message is
    looked up once, and bindings count how many of theirs were met: those that have none of them cost nothing.
    """

    def __init__(self) -> None:
        self._ends: list[str] = []  # by the binding's number
        self._needed: list[int] = []
        self._always: list[int] = []
        self._wanting: dict[_Header, list[int]] = {}

    def add(self, binding: Binding) -> None:
        number, headers = len(self._ends), compared_headers(binding)
        is_any = match_word(binding).startswith("any")
        self._ends.append(binding.to)
        self._needed.append(1 if is_any else len(headers))
        if not headers and not is_any:
            self._always.append(number)
        for name, value in headers.items():
            self._wanting.setdefault(_header(name, value), []).append(number)

    def match(self, message: Addressed) -> Collection[str]:
        met = Counter(
            number for name, value in message.headers.items() for number in self._wanting.get(_header(name, value), ())
        )
        matched = [number for number, count in met.items() if count >= self._needed[number]]
        return dict.fromkeys(self._ends[number] for number in sorted(self._always + matched))


# In AMQP a header has a type, so true is not 1, although Python says so.
_Header = tuple[str, type, HeaderValue]


def _header(name: str, value: HeaderValue) -> _Header:
    return name, type(value), value


def match_word(binding: Binding) -> str:
    """What the binding's `x-match` says; "all" when it says nothing."""
    return str(binding.headers.get(X_MATCH, "all"))


def compared_headers(binding: Binding) -> dict[str, HeaderValue]:
    """The headers of a binding that take part in the comparison."""
    with_x = match_word(binding).endswith("-with-x")
    return {
        name: value
        for name, value in binding.headers.items()
        if name != X_MATCH and (with_x or not name.startswith("x-"))
    }


MATCHERS: Mapping[ExchangeType, type[Matcher]] = {
    ExchangeType.DIRECT: DirectMatcher,
    ExchangeType.TOPIC: TopicMatcher,
    ExchangeType.FANOUT: FanoutMatcher,
    ExchangeType.HEADERS: HeadersMatcher,
}
