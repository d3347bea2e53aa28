"""Every test of the suite that asks for `harness` runs against every engine."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from broker.streams import StreamEngine

from .harness import ENGINES, Harness, started


@pytest.fixture(scope="package", params=ENGINES)
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """One engine after the other, each on a server of its own for as long as the folder's tests run."""
    with started(request.param, request) as running:
        yield running


@pytest.fixture
def engine(harness: Harness) -> StreamEngine:
    return harness.engine


@pytest.fixture
def stream() -> str:
    """A stream that nobody has written to."""
    return f"log-{uuid4().hex[:12]}"
