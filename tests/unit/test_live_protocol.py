"""Frames in and out."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.live.protocol import (
    Ack,
    BadFrame,
    DismissRequest,
    NotificationFrame,
    Pong,
    ReadRequest,
    RestoreRequest,
    Resume,
    UnreadRequest,
    parse,
)


@pytest.mark.parametrize(
    ("frame", "parsed"),
    [
        ({"type": "resume"}, Resume(type="resume")),
        (
            {"type": "resume", "epoch": "e.1", "positions": {"category:movies": 3}},
            Resume(type="resume", epoch="e.1", positions={"category:movies": 3}),
        ),
        ({"type": "ack", "positions": {"a": 0}}, Ack(type="ack", positions={"a": 0})),
        ({"type": "read", "ids": [5]}, ReadRequest(type="read", ids=[5])),
        ({"type": "read", "positions": {"a": 2**63 - 1}}, ReadRequest(type="read", positions={"a": 2**63 - 1})),
        ({"type": "unread", "ids": [5]}, UnreadRequest(type="unread", ids=[5])),
        ({"type": "dismiss", "ids": [5]}, DismissRequest(type="dismiss", ids=[5])),
        ({"type": "restore", "ids": [5]}, RestoreRequest(type="restore", ids=[5])),
        ({"type": "pong", "from-a-later-version": True}, Pong(type="pong")),
    ],
)
def test_a_frame_is_understood(frame: dict[str, Any], parsed: object) -> None:
    assert parse(json.dumps(frame)) == parsed


@given(st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadFrame) as refused:
        parse(text)
    assert refused.value.code in {"not-json", "unknown-type", "malformed"}
    assert len(refused.value.detail) <= 300


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["resume", "ack", "read", "unread", "dismiss", "restore", "pong"])},
        optional={
            "epoch": st.none() | st.text() | st.integers(),
            "positions": st.none() | st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.floats()),
            "ids": st.none() | st.lists(st.none() | st.integers() | st.text()),
        },
    )
)
def test_a_frame_of_a_known_type_is_understood_or_malformed(frame: dict[str, Any]) -> None:
    try:
        parse(json.dumps(frame))
    except BadFrame as refused:
        assert refused.code in {"malformed", "not-json"}  # noqa: PT017 - both ends are fine


def test_a_notification_frame_has_the_fields_of_the_protocol() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    frame = NotificationFrame(
        id=1,
        revision=2,
        kind="premiere",
        title="T",
        body="B",
        url="/u/",
        image="",
        studio="S",
        category="Movies",
        recalled=False,
        published_at=moment,
        expires_at=None,
        positions={"category:movies": 7},
    )
    assert json.loads(frame.model_dump_json()) == {
        "type": "notification",
        "id": 1,
        "revision": 2,
        "kind": "premiere",
        "title": "T",
        "body": "B",
        "url": "/u/",
        "image": "",
        "studio": "S",
        "category": "Movies",
        "recalled": False,
        "published_at": "2026-01-02T03:04:05Z",
        "expires_at": None,
        "positions": {"category:movies": 7},
    }
