"""What the hub of this process counts."""

from prometheus_client import Counter, Gauge

connections = Gauge("live_connections", "Open live connections", multiprocess_mode="livesum")
pushed = Counter("live_frames_pushed", "Notification frames handed to connections")
healed = Counter("live_postings_healed", "Postings that no hint told of and that were read from PostgreSQL")
hints_lost = Counter("live_hints_lost", "Messages to the hubs of all processes that this one could not send")
expired = Counter("live_postings_expired", "Postings that were not pushed because they had expired")
dropped = Counter("live_connections_dropped", "Connections that the server closed", ["reason"])
refused = Counter("live_connections_refused", "Connections that were not let in", ["reason"])
acknowledged = Counter("live_acks", "Acks that clients sent")
