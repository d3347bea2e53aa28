"""Who comes in: a bounded number in each process, a bounded number for each viewer, and a crowd a few at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from . import metrics
from .auth import Scope, credentials_of, identify_all
from .batching import Batcher
from .connection import Identity
from .protocol import Close


class Refused(Exception):
    """A client that may not come in; it is told the code."""

    def __init__(self, code: Close, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class Door:
    """Counts who is inside, those included who have not said yet who they are."""

    def __init__(self) -> None:
        self.inside = 0
        self._of_viewer: dict[int, int] = {}
        self._identities = Batcher(identify_all, per_second=settings.LIVE_ADMISSIONS_PER_SECOND)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in this process while a client is served. Raises `Refused` when there is none."""
        if self.inside >= settings.LIVE_MAX_CONNECTIONS:
            metrics.refused.labels("full").inc()
            raise Refused(Close.TRY_AGAIN, "full")
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    async def identify(self, scope: Scope) -> Identity:
        """Who it is. Raises `Refused` for nobody."""
        identity = await self._identities.ask(credentials_of(scope))
        if identity is None:
            metrics.refused.labels("signed-out").inc()
            raise Refused(Close.SIGNED_OUT, "signed-out")
        return identity

    @contextmanager
    def place_of(self, viewer_id: int) -> Iterator[None]:
        """One of the places that a viewer has here. Raises `Refused` when all are taken: the older ones stay."""
        taken = self._of_viewer.get(viewer_id, 0)
        if taken >= settings.LIVE_MAX_PER_VIEWER:
            metrics.refused.labels("too-many").inc()
            raise Refused(Close.TOO_MANY, "too-many")
        self._of_viewer[viewer_id] = taken + 1
        try:
            yield
        finally:
            self._of_viewer[viewer_id] -= 1
            if not self._of_viewer[viewer_id]:
                del self._of_viewer[viewer_id]
