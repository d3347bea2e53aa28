"""Thousands of clients in one process that say when the last of them was shown a notification.

Started as `python -m bench.listening PORT FILE`, where FILE holds `{"tokens": […]}`. Its lines, with the wall clock:

    < ready              all are live
    < shown NUMBER TIME  all have been shown the notification with that number
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

import uvloop

from .crowd import raise_file_limit, say
from .returning import Clients


class Listeners(Clients):
    """All of them."""

    def __init__(self, port: int, tokens: list[str]) -> None:
        super().__init__((port, port), tokens, expected=0)
        self._reached: Counter[int] = Counter()

    def is_shown(self, number: int, *, held: int) -> None:
        """One more has it."""
        self._reached[number] += 1
        if self._reached[number] == len(self.all):
            say(f"shown {number} {time.time()}")


async def main(port: int, tokens: list[str]) -> None:
    """Connect, and listen until it is killed."""
    await Listeners(port, tokens).connect()
    say("ready")
    await asyncio.Event().wait()


if __name__ == "__main__":
    raise_file_limit()
    uvloop.run(main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())["tokens"]))
