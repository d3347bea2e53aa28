"""Settings of the broker and worker processes that tests start on the small application."""

import os

from ott.settings import *  # noqa: F403 (everything but what follows is as it is)
from ott.settings import BROKER_LEASE_SECONDS, INSTALLED_APPS

BROKER_TOPOLOGY = os.environ.get("BROKER_TEST_TOPOLOGY", "tests.support.broker_app.topology")
INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.process_faults.ProcessFaults"]
BROKER_LEASE_SECONDS = float(os.environ.get("BROKER_TEST_LEASE_SECONDS", BROKER_LEASE_SECONDS))
