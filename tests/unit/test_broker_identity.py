"""Ids of messages: version 7, in the order of time."""

import time
from uuid import RFC_4122

from broker.identity import uuid7


def test_ids_follow_the_clock_and_say_so() -> None:
    before = time.time_ns() // 1_000_000
    ids = [uuid7() for _ in range(1000)]
    after = time.time_ns() // 1_000_000

    assert len(set(ids)) == 1000
    assert {(id_.version, id_.variant) for id_ in ids} == {(7, RFC_4122)}
    moments = [id_.int >> 80 for id_ in ids]
    assert moments == sorted(moments)
    assert before <= moments[0] <= moments[-1] <= after
