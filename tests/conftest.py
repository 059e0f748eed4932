"""For all tests."""

import os
import signal
from collections.abc import Generator

import hypothesis
import pytest

from tests.drivers import recorded

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("here")

# Whoever started the tests with `nohup` did not mean the programs that they start: SIGHUP is one of their cases.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _hang_up_again() -> Generator[None, None, None]:
    """A command that was run in this process may have outlived its terminal; later tests start programs."""
    yield
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _environment_again() -> Generator[None, None, None]:
    """A command that was run in this process may have set variables for its children (`--trace`, `--no-color`)."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys() - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update({name: value for name, value in before.items() if name != "PYTEST_CURRENT_TEST"})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    recorded.note(item, report)
    return report


def pytest_sessionfinish() -> None:
    recorded.write()
