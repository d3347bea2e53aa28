"""How many postings one topic takes in a second: each draws the next number of the topic's row, one after another."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from django.db import connection

from .postings import post_premiere

THREADS, POSTINGS = 4, 200


def postings_per_second(topic: str) -> float:
    """Post `POSTINGS` notifications to `topic`, from `THREADS` threads at a time."""
    mark, started = uuid4().hex[:8], time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda first: _post(topic, mark, range(first, POSTINGS, THREADS)), range(THREADS)))
    return POSTINGS / (time.perf_counter() - started)


def _post(topic: str, mark: str, numbers: range) -> None:
    for number in numbers:
        post_premiere(topic, f"bench:{mark}-{number}")
    connection.close()
