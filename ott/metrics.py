"""The broker's numbers for Prometheus, read when somebody asks."""

from collections.abc import Iterator

from prometheus_client import REGISTRY, Counter, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from broker import queries
from broker.bus import bus
from broker.dead_letters import MessageDeadLettered
from broker.errors import StreamsUnavailable
from broker.event_store import EventsAppended

appended = Counter("domain_events_appended", "Events that this process committed to the event store", ["type"])
buried = Counter("broker_messages_buried", "Messages that became dead letters in this process", ["origin", "reason"])


class BrokerNumbers(Collector):
    """Depths and lags: the same in every process, so scraping one is enough."""

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering this must not ask the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Ask the database, one query a family."""
        yield GaugeMetricFamily("broker_outbox_depth", "Messages not yet relayed", value=queries.outbox_depth())
        yield from _groups()
        yield _dead_letters()
        yield _work_queues()


def _groups() -> Iterator[Metric]:
    labels = ["group", "stream", "partition"]
    lag = GaugeMetricFamily("broker_group_lag", "Entries that a consumer group has still to handle", labels=labels)
    expired = CounterMetricFamily("broker_group_expired", "Messages that expired unhandled", labels=labels)
    age = GaugeMetricFamily("broker_group_lag_seconds", "Age of the oldest entry that waits", labels=labels)
    places: list[queries.PartitionLag] = []
    try:
        places, is_up = queries.lag(), True
    except StreamsUnavailable:  # then nobody knows a lag
        is_up = False
    for place in places:
        values = [place.group, place.stream, str(place.partition)]
        lag.add_metric(values, place.lag)
        age.add_metric(values, place.seconds)
        expired.add_metric(values, place.expired_count)
    yield GaugeMetricFamily("broker_streams_up", "Whether the stream engine answers", value=is_up)
    yield lag
    yield age
    yield expired


def _dead_letters() -> Metric:
    family = GaugeMetricFamily("broker_dead_letters", "Dead letters that wait", labels=["origin", "reason"])
    for (origin, reason), number in queries.dead_letter_counts().items():
        family.add_metric([origin, reason], number)
    return family


def _work_queues() -> Metric:
    family = GaugeMetricFamily("broker_work_items", "Work items that are not done", labels=["queue", "state"])
    for queue, states in queries.work_queue_depths().items():
        for state, number in states.items():
            family.add_metric([queue, state], number)
    return family


def register() -> None:
    """Add the numbers to what /metrics shows, and count what the bus of this process tells."""
    REGISTRY.register(BrokerNumbers())
    bus.subscribe(EventsAppended, count_events)
    bus.subscribe(MessageDeadLettered, count_dead_letter)


def count_events(happened: EventsAppended) -> None:
    """One more of each event's type."""
    for event in happened.events:
        appended.labels(type=event.type).inc()


def count_dead_letter(happened: MessageDeadLettered) -> None:
    """One more dead letter from there, for that reason."""
    buried.labels(origin=happened.origin, reason=happened.reason).inc()
