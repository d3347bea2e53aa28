"""The in-process event bus: code tells what happened; whoever is interested in this process hears of it at once.

It reaches this process alone and remembers nothing: what must not be lost, or is meant for another process, is a
message and goes through the outbox. See docs/in-process-events.md.
"""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import structlog
from django.db import transaction

logger = structlog.get_logger(__name__)

Event = TypeVar("Event")
Observer = Callable[[Event], None]


class Subject(Generic[Event]):
    """The observer pattern: what can be watched keeps its observers, and notifies them in the order they came in.

    An observer that fails is logged; the others are notified, and whoever notifies hears nothing of it.
    """

    def __init__(self) -> None:
        self._observers: tuple[Observer[Event], ...] = ()  # replaced, never changed: it may be in use
        self._lock = threading.Lock()

    def attach(self, observer: Observer[Event]) -> Callable[[], None]:
        """Notify `observer` from now on, once however often it is attached; call the result to detach it."""
        with self._lock:
            if observer not in self._observers:
                self._observers = (*self._observers, observer)
        return lambda: self.detach(observer)

    def detach(self, observer: Observer[Event]) -> None:
        """Notify it no more."""
        with self._lock:
            self._observers = tuple(known for known in self._observers if known != observer)

    def notify(self, event: Event) -> None:
        """Call each observer, here and now."""
        for observer in self._observers:
            try:
                observer(event)
            except Exception:
                name = getattr(observer, "__qualname__", repr(observer))
                logger.exception("observer_failed", observer=name, happened=type(event).__qualname__)


class EventBus:
    """Subjects by the class of what happens, so that neither side knows the other.

    Whoever subscribes to a class hears of its subclasses, too; the type checker sees that the handler fits.
    """

    def __init__(self) -> None:
        self._subjects: dict[type, Subject[Any]] = {}

    def subscribe(self, kind: type[Event], handler: Observer[Event]) -> Callable[[], None]:
        """Call `handler` with each event of this class; call the result to end that."""
        subject: Subject[Event] = self._subjects.setdefault(kind, Subject())
        return subject.attach(handler)

    def publish(self, event: object) -> None:
        """Tell all who subscribed. Never raises what a handler raises."""
        for kind in type(event).__mro__:
            if subject := self._subjects.get(kind):
                subject.notify(event)

    def publish_on_commit(self, event: object) -> None:
        """Tell it once the transaction has committed, and never if it rolls back; at once outside of any."""
        transaction.on_commit(lambda: self.publish(event))


bus = EventBus()
