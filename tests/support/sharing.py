"""Hands tests out to several processes so that what is expensive to start is started in one of them."""

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# What takes long comes first, so that no process is left with it in the end.
FOLDERS = ("acceptance", "faults", "conformance", "integration", "contract", "unit")
SYSTEM = "test_system_"  # files of fault tests that share a running system


class ByWhatTheyShare(LoadScopeScheduling):
    """A process gets one file of tests after the other; files that share a platform go to the same one."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # they have their order

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(nodeid.partition("::")[0])
        if file.parts[1] == "acceptance":
            return str(file.parent)
        return str(file.parent / SYSTEM) if file.name.startswith(SYSTEM) else str(file)


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Folder by folder, those of `FOLDERS` as they stand there."""
    return sorted(items, key=lambda item: FOLDERS.index(PurePosixPath(item.nodeid).parts[1]))
