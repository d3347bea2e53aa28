"""The in-process bus: who subscribed hears of it, and one that fails harms nobody."""

import threading
from dataclasses import dataclass

from structlog.testing import capture_logs

from broker.bus import EventBus, Subject


@dataclass(frozen=True)
class Happened:
    n: int


@dataclass(frozen=True)
class HappenedAtNight(Happened):
    pass


def fail(event: object) -> None:
    raise ValueError("told to fail")


def test_observers_are_notified_in_the_order_in_which_they_came() -> None:
    subject, seen = Subject[int](), list[str]()
    for name in "ab":
        subject.attach(lambda n, name=name: seen.append(f"{name}{n}"))  # type: ignore[misc]  # a default binds it now

    subject.notify(1)

    assert seen == ["a1", "b1"]


def test_an_observer_that_was_detached_is_notified_no_more() -> None:
    subject, seen = Subject[int](), list[int]()
    detach = subject.attach(seen.append)
    subject.attach(seen.append)  # again: that is still once
    subject.notify(1)
    detach()
    subject.notify(2)

    assert seen == [1]


def test_handlers_of_a_class_hear_of_its_subclasses_and_of_nothing_else() -> None:
    bus, all_of_them, at_night = EventBus(), list[Happened](), list[Happened]()
    bus.subscribe(Happened, all_of_them.append)
    bus.subscribe(HappenedAtNight, at_night.append)

    for event in (Happened(1), HappenedAtNight(2), "something else"):
        bus.publish(event)

    assert all_of_them == [Happened(1), HappenedAtNight(2)]
    assert at_night == [HappenedAtNight(2)]


def test_a_handler_that_fails_is_logged_and_neither_the_others_nor_the_publisher_notice() -> None:
    bus, seen = EventBus(), list[Happened]()
    bus.subscribe(Happened, fail)
    bus.subscribe(Happened, seen.append)

    with capture_logs() as logs:
        bus.publish(Happened(1))

    assert seen == [Happened(1)]
    assert [(line["event"], line["observer"], line["happened"]) for line in logs] == [
        ("observer_failed", "fail", "Happened")
    ]


def test_a_handler_may_subscribe_another_while_it_is_called() -> None:
    bus, seen = EventBus(), list[Happened]()

    def subscribe_another(_: Happened) -> None:
        bus.subscribe(Happened, seen.append)

    bus.subscribe(Happened, subscribe_another)
    bus.publish(Happened(1))
    bus.publish(Happened(2))

    assert seen == [Happened(2)]


def test_threads_that_subscribe_at_once_are_all_heard() -> None:
    bus, seen, start = EventBus(), list[int](), threading.Barrier(8)

    def subscribe(number: int) -> None:
        start.wait(10)
        for _ in range(50):
            bus.subscribe(Happened, lambda _: seen.append(number))

    threads = [threading.Thread(target=subscribe, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    bus.publish(Happened(1))

    assert len(seen) == 8 * 50
