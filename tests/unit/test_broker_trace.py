"""W3C trace context: what a caller sent is continued, and what nobody can read begins a new trace."""

import pytest

from broker import trace
from broker.messages import Message

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def a_message(traceparent: str = "") -> Message:
    return Message(type="t", data={}, key="k", exchange="x", routing_key="", traceparent=traceparent)


def test_a_callers_trace_is_continued_in_a_place_of_our_own() -> None:
    ours = trace.continued(SENT)

    assert trace.is_traceparent(ours)
    assert trace.trace_id_of(ours) == TRACE_ID
    assert ours != SENT
    assert ours.endswith("-01")


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "nonsense",
        SENT.upper(),
        f"{SENT}-more",  # version 00 has four fields
        SENT.replace("00-4", "ff-4", 1),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID}-00f067aa0ba902b7-1",
    ],
)
def test_what_is_no_traceparent_begins_a_new_trace(sent: str) -> None:
    ours = trace.continued(sent)

    assert trace.is_traceparent(ours)
    assert trace.trace_id_of(ours) != TRACE_ID
    assert trace.continued(sent) != ours


def test_a_newer_version_may_have_more_fields() -> None:
    assert trace.trace_id_of(trace.continued(f"cc{SENT[2:]}-what-the-future-brings")) == TRACE_ID


def test_what_is_published_in_a_request_shares_its_trace() -> None:
    with trace.following(SENT):
        first, second = trace.in_context(a_message()), trace.in_context(a_message())

    assert first.traceparent == second.traceparent
    assert trace.trace_id_of(first.traceparent) == TRACE_ID


def test_what_is_published_outside_any_gets_a_trace_of_its_own() -> None:
    first, second = trace.in_context(a_message()), trace.in_context(a_message())

    assert trace.is_traceparent(first.traceparent)
    assert first.traceparent != second.traceparent


def test_what_a_handler_publishes_is_a_consequence_of_what_it_handles() -> None:
    cause = a_message(traceparent=SENT)
    with trace.following(""), trace.handling(cause, by="group:g"):
        effect = trace.in_context(a_message())

    assert (effect.causation_id, effect.correlation_id, effect.traceparent) == (cause.id, cause.id, SENT)
    assert trace.in_context(a_message()).causation_id is None


def test_what_says_its_own_cause_is_left_alone() -> None:
    cause, other = a_message(traceparent=SENT), a_message(traceparent=SENT)
    with trace.handling(other, by="group:g"):
        assert trace.in_context(a_message().caused_by(cause)).causation_id == cause.id
