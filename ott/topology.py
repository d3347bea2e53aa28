"""THE map: what is published where, and who handles it."""

from datetime import timedelta

from broker.messages import Format
from broker.topology import Binding, Exchange, ExchangeType, Group, Semantics, Shadow, Stream, Topology, WorkQueue
from broker.transforms import Project, Rename, Retype

# What programme guides and search engines get of a release: less, in words of theirs, as types of its own.
AS_LISTING = (
    Project(
        (
            *("release_id", "version", "kind", "headline", "title_name", "studio_name", "category", "maturity"),
            *("season", "episode", "url", "published_at", "starts_at", "expires_at", "changed_at"),
        )
    ),
    Rename({"title_name": "title", "studio_name": "studio", "published_at": "available_from"}),
    Retype(
        {
            "release.published": "listing.added",
            "release.updated": "listing.changed",
            "release.recalled": "listing.withdrawn",
        }
    ),
)

MONTH, GIB = timedelta(days=30), 1024**3

topology = Topology(
    exchanges=(
        Exchange(
            name="catalog",
            type=ExchangeType.TOPIC,
            types=("release.published", "release.updated", "release.recalled"),
        ),
        Exchange(
            name="studios",
            type=ExchangeType.TOPIC,
            types=("studio.release.planned", "studio.release.scheduled", "studio.release.withdrawn"),
        ),
        Exchange(name="accounts", type=ExchangeType.DIRECT, types=("membership.ending",)),
        Exchange(name="media", type=ExchangeType.DIRECT, types=("asset.attached",)),
        Exchange(name="notifications", type=ExchangeType.HEADERS, types=("notification.posted",)),
        Exchange(name="platform", type=ExchangeType.FANOUT, types=("announcement.published", "announcement.withdrawn")),
        Exchange(
            name="outbound",
            type=ExchangeType.DIRECT,
            types=("deliveries.wanted", "deliveries.created", "delivery.due", "endpoint.switched_off"),
        ),
    ),
    streams=(
        Stream(name="releases", partitions=2, max_age=MONTH, max_bytes=GIB),
        Stream(name="listings", partitions=2, format=Format.AVRO, max_age=MONTH, max_bytes=GIB),
        Stream(name="plans", partitions=2, max_age=MONTH, max_bytes=GIB),
        Stream(name="announcements", partitions=1, max_age=MONTH, max_bytes=GIB),
    ),
    queues=(
        WorkQueue(name="encode", handler="catalog.tasks.encode_asset", lane="media", max_attempts=3, fair_by="studio"),
        WorkQueue(name="fan_out", handler="notifications.tasks.fan_out", lane="default"),
        WorkQueue(name="fan_out_urgent", handler="notifications.tasks.fan_out", lane="urgent"),
        WorkQueue(name="plan_deliveries", handler="notifications.outbound.tasks.plan_deliveries", lane="bulk"),
        WorkQueue(name="plan_alerts", handler="notifications.outbound.tasks.plan_alerts", lane="outbound-urgent"),
        WorkQueue(name="create_deliveries", handler="notifications.outbound.tasks.create_deliveries", lane="bulk"),
        WorkQueue(name="create_alerts", handler="notifications.outbound.tasks.create_alerts", lane="outbound-urgent"),
        WorkQueue(name="send_deliveries", handler="notifications.outbound.tasks.send_deliveries", lane="sending"),
        WorkQueue(name="measure_audience", handler="notifications.insight.audience.measure_audience", lane="figures"),
        WorkQueue(name="tell_member", handler="notifications.personal.on_membership_ending"),
        WorkQueue(name="brief_operators", handler="notifications.announcements.handlers.brief_operators"),
        WorkQueue(name="tell_viewer", handler="notifications.outbound.tasks.tell_viewer"),
    ),
    bindings=(
        Binding(exchange="catalog", routing_key="release.#", to="releases"),
        Binding(exchange="catalog", routing_key="release.#", to="listings", transform=AS_LISTING),
        Binding(exchange="studios", routing_key="studio.#", to="plans"),
        Binding(exchange="accounts", routing_key="membership.ending", to="tell_member"),
        Binding(exchange="media", routing_key="asset.attached", to="encode"),
        Binding(exchange="notifications", headers={"x-match": "all", "urgency": "high"}, to="fan_out_urgent"),
        Binding(exchange="notifications", headers={"x-match": "all", "urgency": "normal"}, to="fan_out"),
        Binding(exchange="notifications", headers={"x-match": "all", "urgency": "high"}, to="plan_alerts"),
        Binding(exchange="notifications", headers={"x-match": "all", "urgency": "normal"}, to="plan_deliveries"),
        Binding(exchange="notifications", headers={"x-match": "all", "urgency": "high"}, to="measure_audience"),
        Binding(exchange="notifications", headers={"x-match": "all", "urgency": "normal"}, to="measure_audience"),
        Binding(exchange="platform", to="announcements"),
        Binding(exchange="platform", to="brief_operators"),
        Binding(exchange="outbound", routing_key="deliveries.wanted.high", to="create_alerts"),
        Binding(exchange="outbound", routing_key="deliveries.wanted.normal", to="create_deliveries"),
        Binding(exchange="outbound", routing_key="deliveries.created", to="send_deliveries"),
        Binding(exchange="outbound", routing_key="endpoint.switched_off", to="tell_viewer"),
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
            shadow=Shadow(
                effect="notifications.effects.card_of",
                tables=(
                    "notifications_topic",
                    "notifications_notification",
                    "notifications_part",
                    "notifications_posting",
                ),
            ),
        ),
        Group(
            name="starts",
            stream="releases",
            semantics=Semantics.EXACTLY_ONCE,
            handlers={
                "release.published": "notifications.reminders.handlers.on_release_told",
                "release.updated": "notifications.reminders.handlers.on_release_told",
                "release.recalled": "notifications.reminders.handlers.on_release_recalled",
            },
        ),
        Group(
            name="planning",
            stream="plans",
            semantics=Semantics.EXACTLY_ONCE,
            handlers={
                "studio.release.planned": "catalog.ingest_handlers.on_release_planned",
                "studio.release.scheduled": "catalog.ingest_handlers.on_release_scheduled",
                "studio.release.withdrawn": "catalog.ingest_handlers.on_release_withdrawn",
            },
        ),
        Group(
            name="platform",
            stream="announcements",
            semantics=Semantics.EXACTLY_ONCE,
            handlers={
                "announcement.published": "notifications.announcements.handlers.on_announcement_published",
                "announcement.withdrawn": "notifications.announcements.handlers.on_announcement_withdrawn",
            },
        ),
        Group(
            name="guide",
            stream="listings",
            semantics=Semantics.EXACTLY_ONCE,
            handlers={
                "listing.added": "catalog.handlers.on_listing_told",
                "listing.changed": "catalog.handlers.on_listing_told",
                "listing.withdrawn": "catalog.handlers.on_listing_withdrawn",
            },
            shadow=Shadow(effect="catalog.effects.listing_of", tables=("catalog_listing",)),
        ),
    ),
)
