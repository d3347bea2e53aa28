"""Many questions to the database as one: who asks while others are being answered is answered with the next batch."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from .threads import in_thread

AT_ONCE = 64
WORKERS = 2
MADE_UP_SECONDS = 0.25  # at most, when the loop or the database is late: else a busy one would never reach the rate
GATHER_SECONDS = 0.1  # in a storm, until a batch is full: many small ones cost more than a few large ones

Question = TypeVar("Question")
Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class Batcher(Generic[Question, Answer]):
    """Asks `handle`, a database function, up to `AT_ONCE` questions at a time; a lone question does not wait.

    In a storm no more than `per_second` are answered in a second, with jitter, so that pages get their share of the
    processor and the database. `handle` gives an answer for each question, in order; an exception among them is
    raised to the one who asked.
    """

    def __init__(self, handle: Callable[[list[Question]], Sequence[Answer | Exception]], *, per_second: float) -> None:
        self._handle = handle
        self._per_second = per_second
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._workers: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Answer:
        """The answer. Raises what `handle` gave or raised."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if len(self._workers) < WORKERS:
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
        return await future

    async def _work(self) -> None:
        try:
            await self._answer_all()
        finally:  # in the turn in which nobody waited any more: whoever asks in the next one needs another worker
            self._workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _answer_all(self) -> None:
        due = time.monotonic()
        while self._waiting:
            due = max(due, time.monotonic() - MADE_UP_SECONDS)
            batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            asked = [(question, future) for question, future in batch if not future.done()]  # who left asks no more
            if asked:
                await self._answer(asked)
            if self._waiting:  # a storm
                due += len(asked) * WORKERS / self._per_second * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
                shortest = 0.0 if len(self._waiting) >= AT_ONCE else GATHER_SECONDS
                await asyncio.sleep(max(shortest, due - time.monotonic()))

    async def _answer(self, asked: list[tuple[Question, asyncio.Future[Answer]]]) -> None:
        answers: Sequence[Answer | Exception]
        try:
            answers = await in_thread(self._handle, [question for question, _ in asked])
        except Exception as error:
            answers = [error] * len(asked)
        for (_, future), answer in zip(asked, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
