"""THE map: what is published where, and who handles it."""

from broker.topology import Binding, Exchange, ExchangeType, Group, Semantics, Stream, Topology, WorkQueue

topology = Topology(
    exchanges=(
        Exchange(name="catalog", type=ExchangeType.TOPIC),
        Exchange(name="media", type=ExchangeType.DIRECT),
        Exchange(name="notifications", type=ExchangeType.HEADERS),
    ),
    streams=(Stream(name="releases", partitions=2),),
    queues=(
        WorkQueue(name="encode", handler="catalog.tasks.encode_asset", lane="media", max_attempts=3),
        WorkQueue(name="fan_out", handler="notifications.tasks.fan_out", lane="default"),
        WorkQueue(name="fan_out_urgent", handler="notifications.tasks.fan_out", lane="urgent"),
    ),
    bindings=(
        Binding(exchange="catalog", routing_key="release.#", to="releases"),
        Binding(exchange="media", routing_key="asset.attached", to="encode"),
        Binding(exchange="notifications", headers={"x-match": "all", "urgency": "high"}, to="fan_out_urgent"),
        Binding(exchange="notifications", headers={"x-match": "all", "urgency": "normal"}, to="fan_out"),
    ),
    groups=(
        Group(
            name="feed",
            stream="releases",
            semantics=Semantics.EXACTLY_ONCE,
            handlers={
                "release.published": "notifications.handlers.on_release_published",
                "release.updated": "notifications.handlers.on_release_updated",
                "release.recalled": "notifications.handlers.on_release_recalled",
            },
        ),
    ),
)
