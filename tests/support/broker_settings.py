"""Settings of the broker and worker processes that tests start on the small application."""

import os

from ott.settings import *  # noqa: F403 (everything but the topology is as it is)

BROKER_TOPOLOGY = os.environ.get("BROKER_TEST_TOPOLOGY", "tests.support.broker_app.topology")
