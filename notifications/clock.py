"""The database's clock, between two times that it is asked: this machine's own may be wrong, or be set."""

import time


class DatabaseClock:
    """What the database's clock shows by now, told by how long ago it said so. Until it did, this machine's."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def set(self, moment: float) -> None:
        """The database has just said that it is `moment`, in seconds since 1970."""
        self._ahead = moment - time.monotonic()

    def time(self) -> float:
        """Seconds since 1970."""
        return time.monotonic() + self._ahead


clock = DatabaseClock()
