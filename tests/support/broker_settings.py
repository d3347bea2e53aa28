"""Settings of the broker and worker processes that tests start on the small application.

Only the broker is installed, of the platform's applications: it stands alone, and its processes start in half the time.
"""

import os

from django.urls import URLPattern

from ott.settings import *  # noqa: F403 (everything but what follows is as it is)
from ott.settings import BROKER_LEASE_SECONDS

BROKER_TOPOLOGY = os.environ.get("BROKER_TEST_TOPOLOGY", "tests.support.broker_app.topology")
INSTALLED_APPS = ["broker", "tests.support.process_faults.ProcessFaults"]
BROKER_LEASE_SECONDS = float(os.environ.get("BROKER_TEST_LEASE_SECONDS", BROKER_LEASE_SECONDS))
ROOT_URLCONF = __name__
urlpatterns: list[URLPattern] = []  # no pages
