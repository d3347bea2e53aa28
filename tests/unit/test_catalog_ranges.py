"""Reading the Range header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.ranges import UnsatisfiableRange, requested_span


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-", 0, 99),
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=90-500", 90, 99),
        ("bytes=-10", 90, 99),
        ("bytes=-500", 0, 99),
        ("Bytes=5-6", 5, 6),
    ],
)
def test_one_range_is_understood(header: str, first: int, last: int) -> None:
    span = requested_span(header, 100)

    assert span is not None
    assert (span.first, span.last) == (first, last)


@pytest.mark.parametrize("header", ["", "bytes=-", "bytes=0-1,5-6", "bytes=9-3", "chapters=1-2", "bytes=a-b"])
def test_what_is_malformed_or_asks_for_several_is_answered_with_everything(header: str) -> None:
    assert requested_span(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(UnsatisfiableRange):
        requested_span(header, 100)


@given(st.integers(1, 10_000), st.integers(0, 12_000), st.integers(0, 12_000))
def test_a_span_always_lies_inside_the_file(size: int, first: int, last: int) -> None:
    try:
        span = requested_span(f"bytes={first}-{last}", size)
    except UnsatisfiableRange:
        assert first >= size
        return
    if span is not None:
        assert 0 <= span.first <= span.last < size
