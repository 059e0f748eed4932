"""For all tests."""

import signal
from collections.abc import Generator

import pytest

from tests.drivers import recorded

# Whoever started the tests with `nohup` did not mean the programs that they start: SIGHUP is one of their cases.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _hang_up_again() -> Generator[None, None, None]:
    """A command that was run in this process may have outlived its terminal; later tests start programs."""
    yield
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    recorded.note(item, report)
    return report


def pytest_sessionfinish() -> None:
    recorded.write()
