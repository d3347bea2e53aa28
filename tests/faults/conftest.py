"""The running system that the fault tests share."""

from collections.abc import Iterator

import pytest

from tests.support.system import System, running_system


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Everything that `make up` starts; a test leaves it running."""
    with running_system(tmp_path_factory.mktemp("system")) as running:
        yield running
