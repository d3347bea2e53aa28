"""The platform and the browser that all acceptance tests share."""

from collections.abc import Iterator

import pytest

from ott.embedded.stack import Stack
from tests.support.manager import Manage, manager
from tests.support.system import System

from .chromium import chromium, find_chromium
from .site import Site


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running platform."""
    outside = {"OTT_OUTBOUND_ALLOW_PRIVATE": "1"}  # a push service of the tests' own is on loopback
    with Stack(tmp_path_factory.mktemp("site"), environment=outside) as running:
        yield running


@pytest.fixture(scope="package")
def manage(stack: Stack) -> Iterator[Manage]:
    """Runs commands of manage.py on it."""
    with manager(stack.environment) as run:
        run("shell", "-v0", "-c", "from tests.acceptance.content import make; make()")
        yield run


@pytest.fixture(scope="package")
def system(stack: Stack, manage: Manage) -> System:
    """The platform, as its API's users meet it."""
    return System(stack, manage)


# Not for the whole session: while Playwright's loop lives, asynchronous tests of other folders could not run.
@pytest.fixture(scope="package")
def site(stack: Stack, manage: Manage) -> Iterator[Site]:
    """The platform, as people in a browser meet it."""
    if find_chromium() is None:
        pytest.skip("No Chromium is installed: install your system's package chromium.")
    with chromium() as browser:
        yield Site(stack, manage, browser)
