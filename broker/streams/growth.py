"""Notices that a server has lost what it had: offsets that were given once are given again."""

import threading

from broker.errors import LogCutShort


class Growth:
    """The end of each log as this process saw it last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[tuple[str, int], int] = {}

    def appended(self, stream: str, partition: int, *, first: int, end: int) -> None:
        """Note where a batch went. Raises `LogCutShort` when other entries were there before."""
        with self._lock:
            known = self._ends.get((stream, partition), 0)
            self._ends[stream, partition] = end
        if first < known:
            raise LogCutShort(stream=stream, partition=partition, known=known, found=first)
