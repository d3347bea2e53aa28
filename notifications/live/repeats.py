"""Who has had a notification's newest state already, by the posting of an earlier revision that was late."""

from collections import OrderedDict

from .connection import Connection
from .posted import Posted

REMEMBERED = 256  # notifications
STATES = 4  # of each: the newest


class Repeats:
    """Passes over repeats. A frame shows the newest state, so that of an earlier revision may say it all.

    What it has said is as good as any posting that shows no more, whether that was made later or has waited for it.
    """

    def __init__(self) -> None:
        self._had: OrderedDict[int, dict[int, set[Connection]]] = OrderedDict()  # by notification and revision shown

    def pass_over(self, posted: Posted, receivers: set[Connection]) -> set[Connection]:
        """Those of the receivers who have not had this state, or a newer one; from now on they have."""
        if posted.shown > posted.revision:
            self._remember(posted)
        states = self._had.get(posted.notification)
        if states is None:
            return receivers
        fresh = receivers.difference(*(had for shown, had in states.items() if shown >= posted.shown))
        if posted.shown in states:
            states[posted.shown] |= fresh
        return fresh

    def _remember(self, posted: Posted) -> None:
        states = self._had.setdefault(posted.notification, {})
        states.setdefault(posted.shown, set())
        if len(states) > STATES:
            del states[min(states)]
        self._had.move_to_end(posted.notification)
        if len(self._had) > REMEMBERED:
            self._had.popitem(last=False)

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        for states in self._had.values():
            for had in states.values():
                had.discard(connection)
