"""What every test shares: the servers it needs, the count of tests, and no silent skipping in CI.

Nothing else may be imported at the top: Django is set up here, before the conftest files of the subfolders are read.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django
import pytest
from django.test import override_settings
from hypothesis import settings as hypothesis

from ott.embedded.temporary import temporary_servers

servers = ExitStack()
if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes: with servers of its own it meets nobody's tests
    os.environ.update(servers.enter_context(temporary_servers()))
elif not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
    raise SystemExit(
        "The tests need servers of their own: run `make test`, or `python -m ott.embedded exec -- pytest tests/unit`."
    )
os.environ["DJANGO_SETTINGS_MODULE"] = "ott.settings"
django.setup()

from tests.support.emptying import use_after_transactional_tests  # noqa: E402 - it needs Django

use_after_transactional_tests()

# A slow machine is not a failure; `make soak` tries many more cases.
hypothesis.register_profile("test", deadline=None)
hypothesis.register_profile("soak", deadline=None, max_examples=2000)
hypothesis.load_profile("soak" if os.environ.get("OTT_SOAK") else "test")

pytest_plugins = ["tests.support.live_fixtures", "tests.support.rabbitmq"]

IN_CI = os.environ.get("CI") == "true"
not_run: list[str] = []


def pytest_unconfigure() -> None:
    """Stop what this process started."""
    servers.close()


def pytest_report_collectionfinish(items: Sequence[pytest.Item]) -> list[str]:
    """The number of tests collected in each folder of tests/."""
    return tests_by_folder(item.nodeid for item in items)


def tests_by_folder(nodeids: Iterable[str]) -> list[str]:
    """A line a folder: how many tests it has."""
    counts = Counter(Path(nodeid.partition("::")[0]).parts[1] for nodeid in nodeids)
    return [f"  tests/{folder}: {count}" for folder, count in sorted(counts.items())]


class SeveralProcesses:
    """What the process that hands out tests must learn from those that run them."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal
        self._is_counted = False

    def pytest_xdist_setupnodes(self) -> None:
        """Let each process set up Django for itself: pytest-django would do it before that has servers of its own."""
        del os.environ["DJANGO_SETTINGS_MODULE"]

    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Count once: every process has collected the same."""
        if not self._is_counted:
            self._is_counted = True
            self._terminal.write_line("")
            for line in tests_by_folder(ids):
                self._terminal.write_line(line)

    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what that process left out."""
        not_run.extend(getattr(node, "workeroutput", {}).get("not_run", ()))


@pytest.hookimpl(trylast=True)  # after what is looked for has come
def pytest_configure(config: pytest.Config) -> None:
    """Listen to other processes, where there are any."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and config.pluginmanager.hasplugin("dsession"):
        config.pluginmanager.register(SeveralProcesses(terminal))


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remember what was left out."""
    not_run.extend(f"deselected: {item.nodeid}" for item in items)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Remember files that skipped themselves."""
    if report.skipped:
        not_run.append(f"skipped: {report.nodeid}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember tests that were skipped or expected to fail."""
    if report.skipped or hasattr(report, "wasxfail"):
        not_run.append(f"{'xfail' if hasattr(report, 'wasxfail') else 'skipped'}: {report.nodeid}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI, a run that left something out has failed."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        getattr(session.config, "workeroutput")["not_run"] = not_run  # noqa: B009 - only pytest-xdist gives it one
        return
    if IN_CI and not_run and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what made the run fail in CI."""
    if IN_CI and not_run:
        terminalreporter.section("not run, which CI does not allow", red=True)
        for line in not_run:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """A real password hash costs a fifth of a second on purpose; tests make hundreds."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture
def process_environment(transactional_db: None, test_database_url: str) -> dict[str, str]:
    """The environment for processes that a test starts on its own test database."""
    return {**os.environ, "DATABASE_URL": test_database_url}
