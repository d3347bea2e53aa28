"""Who has had a notification's newest state already, by the posting of an earlier revision that was late."""

from collections import OrderedDict

from .connection import Connection
from .posted import Posted

REMEMBERED = 256


class Repeats:
    """Passes over repeats. A frame shows the newest state, so that of an earlier revision may say it all."""

    def __init__(self) -> None:
        self._had: OrderedDict[tuple[int, int], set[Connection]] = OrderedDict()

    def pass_over(self, posted: Posted, receivers: set[Connection]) -> set[Connection]:
        """Those of the receivers who have not had this state; from now on they have."""
        key = (posted.notification, posted.shown)
        if posted.shown > posted.revision:
            self._had.setdefault(key, set())
            if len(self._had) > REMEMBERED:
                self._had.popitem(last=False)
        had = self._had.get(key)
        if had is None:
            return receivers
        fresh = receivers - had
        had |= fresh
        return fresh

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        for had in self._had.values():
            had.discard(connection)
