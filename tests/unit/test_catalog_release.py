"""The life of a release, without a database."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import release as domain
from catalog.errors import AlreadyPublished, AlreadyRecalled, EncodingHasFailed, IllegalTransition, StillEncoding
from catalog.release import Event, ReleaseState, Stage, Video, evolve, replay

DETAILS = {"headline": "The Long Night"}
AT, LATER = "2026-01-01T20:00:00+00:00", "2026-02-02T20:00:00+00:00"


def after(*decisions: Any) -> ReleaseState:
    """The state after decisions, each a function of the state before it."""
    state = ReleaseState()
    for decide in decisions:
        for event in decide(state):
            state = evolve(state, event)
    return state


def drafted(state: ReleaseState) -> list[Event]:
    return domain.draft(state, title=1, kind="premiere", details=DETAILS)


def attached(state: ReleaseState) -> list[Event]:
    return domain.attach(state, asset="a")


def encoded(state: ReleaseState) -> list[Event]:
    return domain.record_encoded(state, asset="a")


def failed(state: ReleaseState) -> list[Event]:
    return domain.record_encoding_failed(state, asset="a", error="no video")


def scheduled(state: ReleaseState) -> list[Event]:
    return domain.schedule(state, at=LATER)


def published(state: ReleaseState) -> list[Event]:
    return domain.publish(state, at=AT)


def recalled(state: ReleaseState) -> list[Event]:
    return domain.recall(state, reason="a mistake")


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_draft_without_a_video_may_be_announced() -> None:
    state = after(drafted, published)

    assert (state.stage, state.published_at, state.version) == (Stage.PUBLISHED, AT, 2)


def test_a_release_whose_video_is_being_encoded_is_not_published() -> None:
    with pytest.raises(StillEncoding):
        published(after(drafted, attached))


def test_a_release_whose_video_failed_is_not_published_until_another_one_is_there() -> None:
    with pytest.raises(EncodingHasFailed, match="Upload another file"):
        published(after(drafted, attached, failed))

    replaced = after(drafted, attached, failed, lambda s: domain.attach(s, asset="b"))
    assert replaced.video is Video.ENCODING


def test_publishing_or_recalling_twice_is_refused_by_name() -> None:
    with pytest.raises(AlreadyPublished, match=AT[:10]):
        published(after(drafted, published))
    with pytest.raises(AlreadyRecalled):
        recalled(after(drafted, published, recalled))


@pytest.mark.parametrize("decide", [published, scheduled, attached, drafted])
def test_nothing_follows_a_recall(decide: Any) -> None:
    with pytest.raises(IllegalTransition, match="recalled"):
        decide(after(drafted, published, recalled))


@pytest.mark.parametrize("decide", [published, scheduled, attached, recalled])
def test_what_was_never_drafted_can_do_nothing(decide: Any) -> None:
    with pytest.raises(IllegalTransition, match="unborn"):
        decide(ReleaseState())


def test_an_edit_after_publication_is_an_update_and_one_that_changes_nothing_is_nothing() -> None:
    draft, public = after(drafted), after(drafted, published)

    assert types(domain.edit(draft, changes={"headline": "New"})) == ["release.edited"]
    assert types(domain.edit(public, changes={"headline": "New"})) == ["release.updated"]
    assert domain.edit(public, changes=DETAILS) == []


def test_the_result_of_a_replaced_upload_is_ignored() -> None:
    state = after(drafted, attached, lambda s: domain.attach(s, asset="b"))

    assert encoded(state) == []
    assert failed(state) == []


def test_a_second_report_of_the_encoder_is_ignored() -> None:
    assert encoded(after(drafted, attached, encoded)) == []


def test_a_published_release_keeps_its_video_until_the_next_one_is_ready() -> None:
    state = after(drafted, attached, encoded, published, lambda s: domain.attach(s, asset="b"))
    assert (state.playable, state.asset) == ("a", "b")

    ready = evolve(state, domain.record_encoded(state, asset="b")[0])
    assert ready.playable == "b"


def test_a_video_that_fails_takes_the_schedule_back() -> None:
    state = after(drafted, attached, scheduled, failed)

    assert (state.stage, state.scheduled_at) == (Stage.DRAFT, None)


def test_a_release_may_be_scheduled_while_its_video_is_encoded_and_unscheduled_again() -> None:
    state = after(drafted, attached, scheduled)
    assert state.scheduled_at == LATER
    assert scheduled(state) == []

    assert after(drafted, attached, scheduled, domain.unschedule).stage is Stage.DRAFT


ASSETS = st.sampled_from(["a", "b", "c"])
COMMANDS = st.one_of(
    st.tuples(st.just("draft"), st.just({"title": 1, "kind": "episode", "details": DETAILS})),
    st.tuples(st.just("edit"), st.fixed_dictionaries({"changes": st.fixed_dictionaries({"headline": st.text()})})),
    st.tuples(st.just("attach"), st.fixed_dictionaries({"asset": ASSETS})),
    st.tuples(st.just("record_encoded"), st.fixed_dictionaries({"asset": ASSETS})),
    st.tuples(st.just("record_encoding_failed"), st.fixed_dictionaries({"asset": ASSETS, "error": st.text()})),
    st.tuples(st.just("schedule"), st.fixed_dictionaries({"at": st.sampled_from([AT, LATER])})),
    st.tuples(st.just("unschedule"), st.just({})),
    st.tuples(st.just("publish"), st.fixed_dictionaries({"at": st.just(AT)})),
    st.tuples(st.just("recall"), st.fixed_dictionaries({"reason": st.text()})),
)


@given(st.lists(COMMANDS, max_size=25))
def test_any_sequence_of_commands_leaves_the_state_that_its_events_add_up_to(commands: list[Any]) -> None:
    state, history = ReleaseState(), []
    for name, arguments in commands:
        before = state
        try:
            events = getattr(domain, name)(state, **arguments)
        except IllegalTransition:
            assert state is before
            continue
        for event in events:
            history.append(event)
            state = evolve(state, event)

    assert replay(history) == state
    assert state.version == len(history)
    if state.stage is Stage.PUBLISHED:
        assert state.published_at is not None
        assert state.scheduled_at is None
    assert (state.scheduled_at is not None) == (state.stage is Stage.SCHEDULED)
    assert state.video is not Video.READY or state.playable == state.asset
