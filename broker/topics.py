"""The matcher of topic exchanges: all patterns are followed at once, by an automaton that is built as keys come."""

from collections.abc import Collection

from .messages import Addressed
from .topology import Binding

MAX_STEPS = 100_000  # remembered, some 20 MB; beyond that the automaton is begun anew


def words(routing_key: str) -> list[str]:
    """A routing key's words; the empty key has none, while `a..b` has an empty one in the middle."""
    return routing_key.split(".") if routing_key else []


class TopicMatcher:
    """Patterns of words: `*` stands for one word, `#` for none or more; so `a.#` matches `a`.

    The patterns form a trie, and a key is at several places of it at once. Such a set of places is a state; the step
    from one state to the next by a word is worked out once and remembered. All words that no pattern names take one
    and the same step, so keys that were never seen find most of their steps remembered. A step that is not costs a
    look-up for each place of the state, and never grows exponentially with the number of `#`.
    """

    def __init__(self) -> None:
        self._root = _Place()
        self._vocabulary: set[str] = set()
        self._count = 0
        self._start: _State | None = None
        self._states: dict[frozenset[_Place], _State] = {}
        self._remembered = 0

    def add(self, binding: Binding) -> None:
        place = self._root
        for word in words(binding.routing_key):
            self._vocabulary.add(word)
            place = place.child(word)
        place.names.setdefault(binding.to, self._count)
        self._count += 1

    def match(self, message: Addressed) -> Collection[str]:
        state, vocabulary = self._start or self._begin(), self._vocabulary
        for word in words(message.routing_key):
            known = word if word in vocabulary else None
            state = state.steps.get(known) or self._step(state, known)
        return state.names()

    def _begin(self) -> "_State":
        self._start = start = self._state(frozenset(self._root.closure()))
        return start  # another thread may have forgotten it already

    def _step(self, state: "_State", word: str | None) -> "_State":
        """Work out the step that a word takes (None: one that no pattern names), and remember it."""
        if self._remembered >= MAX_STEPS:
            self._forget()  # a match that is under way goes on with the states that it has
        self._remembered += 1
        children, after_any_word = state.ways()
        named = [place for each in children if (place := each.get(word))]
        if named:
            reached = self._state(after_any_word.union(*(place.closure() for place in named)))
        elif word is None:
            reached = self._state(after_any_word)
        else:
            reached = state.steps.get(None) or self._step(state, None)
        state.steps[word] = reached
        return reached

    def _state(self, places: frozenset["_Place"]) -> "_State":
        state = self._states.get(places)
        if state is None:
            state = self._states[places] = _State(places)
        return state

    def _forget(self) -> None:
        self._start, self._states, self._remembered = None, {}, 0


class _Place:
    """A place in the trie of patterns; `repeats` marks one reached by `#`, which swallows any word and stays."""

    __slots__ = ("_closure", "children", "names", "repeats")

    def __init__(self, *, repeats: bool = False) -> None:
        self.children: dict[str | None, _Place] = {}
        self.names: dict[str, int] = {}  # with their binding's number
        self.repeats = repeats
        self._closure: tuple[_Place, ...] = ()

    def child(self, word: str) -> "_Place":
        return self.children.setdefault(word, _Place(repeats=word == "#"))

    def closure(self) -> tuple["_Place", ...]:
        """This place and those that a `#` reaches from it without a word."""
        if not self._closure:
            further = self.children.get("#")
            self._closure = (self, *further.closure()) if further else (self,)
        return self._closure


class _State:
    """The places that a key may be at, and the steps that are known so far."""

    __slots__ = ("_names", "_places", "_ways", "steps")

    def __init__(self, places: frozenset[_Place]) -> None:
        self._places = places
        self._names: tuple[str, ...] | None = None
        self._ways: _Ways | None = None  # most states are never left
        self.steps: dict[str | None, _State] = {}

    def ways(self) -> "_Ways":
        """The places' children, and the places after a word that none of them names."""
        if self._ways is None:
            children = [place.children for place in self._places if place.children]
            stars = [star.closure() for each in children if (star := each.get("*"))]
            stays = [place.closure() for place in self._places if place.repeats]
            self._ways = children, frozenset().union(*stars, *stays)
        return self._ways

    def names(self) -> tuple[str, ...]:
        """Where the patterns lead that end here, each name once, in the order in which they were bound."""
        if self._names is None:
            ends = sorted((number, name) for place in self._places for name, number in place.names.items())
            self._names = tuple(dict.fromkeys(name for _, name in ends))
        return self._names


_Ways = tuple[list[dict[str | None, _Place]], frozenset[_Place]]
