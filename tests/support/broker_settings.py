"""Settings of the broker and worker processes that tests start on the small application."""

from ott.settings import *  # noqa: F403 (everything but the topology is as it is)

BROKER_TOPOLOGY = "tests.support.broker_app.topology"
