"""A real API server for all tests of a run, emptied for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.kube import coverage
from tests.kube.build import programs
from tests.kube.cluster import Cluster, started
from tests.kube.world import World


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Kubernetes' API on 127.0.0.1 with KubeVirt's definitions. What a test makes there it removes."""
    with started(programs()) as running:
        yield running


@pytest.fixture
def world(cluster: Cluster) -> Iterator[World]:
    """Three nodes and KubeVirt, with nothing of other tests."""
    found = World(cluster)
    found.clear()
    found.nodes("node01", "node02", "node03")
    found.kubevirt()
    yield found
    found.close()


_outcomes: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Cases of this kind, wherever they are."""
    if "kube" in report.keywords and (report.when == "call" or report.failed):
        _outcomes[report.outcome] += 1


def pytest_sessionfinish() -> None:
    if _outcomes:
        coverage.write(_outcomes.total(), _outcomes["failed"])
