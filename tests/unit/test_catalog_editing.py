"""Concurrent edits of one release, without a database: nobody overwrites what they have not seen."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker.event_store import RecordedEvent
from catalog.editing import Editing, as_metadata, known_edits, settle
from catalog.errors import ConcurrentEdit

NAMES = ("headline", "synopsis")
# (which of two tabs, in which field, which of its own words)
STEPS = st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(NAMES), st.sampled_from("123")), max_size=20)


class Draft:
    """A release as a list of events, and what they add up to."""

    def __init__(self) -> None:
        self.history: list[RecordedEvent] = []
        self.details = dict.fromkeys(NAMES, "")
        self.add("release.drafted", {"details": dict(self.details)}, {})

    def add(self, type_: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        version, now = len(self.history) + 1, datetime.now(UTC)
        event = RecordedEvent(version=version, type=type_, data=data, metadata=metadata, recorded_at=now)
        self.history.append(event)

    def edit(self, wanted: dict[str, str], editing: Editing) -> None:
        changes, clock = settle(self.history, wanted, editing)
        news = {name: value for name, value in changes.items() if self.details[name] != value}
        if news:
            self.details |= news
            self.add("release.edited", {"changes": news}, as_metadata(editing, clock))


class Tab:
    """One editor's page: loaded now and then, and saving the whole form each time."""

    def __init__(self, draft: Draft, name: str) -> None:
        self.draft, self.name, self.loads = draft, name, 0
        self.load()

    def load(self) -> None:
        self.loads += 1
        self.fields = dict(self.draft.details)
        self.editing = Editing(editor=f"{self.name}{self.loads}", seen=known_edits(self.draft.history))

    def types(self, field: str, text: str) -> bool:
        """Whether it was saved."""
        self.fields[field] = text
        try:
            self.draft.edit(self.fields, self.editing)
        except ConcurrentEdit:
            return False
        return True


@given(STEPS)
def test_an_edit_is_refused_exactly_when_it_would_overwrite_what_its_page_does_not_show(
    steps: list[tuple[str, str, str]],
) -> None:
    draft = Draft()
    tabs = {name: Tab(draft, name) for name in "AB"}
    shown_by = {field: set("AB") for field in NAMES}  # whose page shows the value that stands
    for name, field, word in steps:
        tab, text = tabs[name], name + word
        is_change = tab.fields[field] != text

        saved = tab.types(field, text)

        assert saved == (not is_change or name in shown_by[field])
        if saved and is_change:
            assert draft.details[field] == text
            shown_by[field] = {name}
        elif not saved:  # the typist gives way, and sees what stands
            tab.load()
            for names in shown_by.values():
                names.add(name)


@given(STEPS)
def test_what_both_changed_in_different_fields_stands(steps: list[tuple[str, str, str]]) -> None:
    draft = Draft()
    tabs = {name: Tab(draft, name) for name in "AB"}
    last = {}
    for name, _, word in steps:
        field = dict(zip("AB", NAMES, strict=True))[name]  # each keeps to a field of its own
        assert tabs[name].types(field, name + word)
        last[field] = name + word

    assert draft.details == dict.fromkeys(NAMES, "") | last


def test_a_tab_whose_answers_are_still_on_their_way_does_not_meet_itself() -> None:
    draft = Draft()
    tab = Tab(draft, "A")
    for word in "123":  # the page still says what it was rendered with
        assert tab.types("headline", word)

    assert draft.details["headline"] == "3"
