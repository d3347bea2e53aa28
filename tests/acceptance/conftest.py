"""The platform and the browser that all browser tests share."""

from collections.abc import Iterator

import pytest

from ott.embedded.stack import Stack

from .chromium import chromium, find_chromium
from .site import Site


# Not for the whole session: while Playwright's loop lives, asynchronous tests of other folders could not run.
@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running platform with content, and Chromium."""
    if find_chromium() is None:
        pytest.skip("No Chromium is installed: install your system's package chromium.")
    outside = {"OTT_OUTBOUND_ALLOW_PRIVATE": "1"}  # a push service of the tests' own is on loopback
    with Stack(tmp_path_factory.mktemp("site"), environment=outside) as stack, chromium() as browser:
        running = Site(stack, browser)
        running.run("from tests.acceptance.content import make; make()")
        yield running
