"""RabbitMQ as the tests start it."""

import os
from pathlib import Path

import aio_pika

from ott.embedded.rabbitmq import RabbitMQ
from tests.support.rabbitmq import running_rabbitmq


def processes_below(folder: Path) -> list[str]:
    """The working folders and command lines of living processes that name a folder."""
    named = [entry for entry in Path("/proc").glob("[0-9]*") if os.access(entry / "cmdline", os.R_OK)]
    lines = [(entry / "cmdline").read_bytes().replace(b"\0", b" ").decode() for entry in named if entry.exists()]
    return [line for line in lines if str(folder) in line]


async def is_open(node: RabbitMQ) -> bool:
    async with await aio_pika.connect(node.url) as connection:
        return not connection.is_closed


async def test_a_node_answers_and_leaves_nothing_running() -> None:
    with running_rabbitmq() as node:
        assert await is_open(node)
        assert processes_below(node.folder)
    assert not processes_below(node.folder)
    assert not node.folder.exists()
