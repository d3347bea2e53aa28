"""Settings of the broker and worker processes that tests start on the small application."""

from ott.settings import *  # noqa: F403 (everything but what follows is as it is)
from ott.settings import INSTALLED_APPS as THE_PRODUCTS

BROKER_TOPOLOGY = "tests.support.broker_app.topology"
INSTALLED_APPS = [*THE_PRODUCTS, "tests.support.process_faults.ProcessFaults"]
