"""Settings of the broker processes that are measured: the product's, but for the topology."""

from ott.settings import *  # noqa: F403 (everything else is as it is)

BROKER_TOPOLOGY = "bench.broker_app.topology"
