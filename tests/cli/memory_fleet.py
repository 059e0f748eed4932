"""Two hosts in memory behind the real command line. Fake: the hosts, Podman on them, and leases, which the
simulated guard does not have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.commands import app, checkpoint, compose, copying, deciding, discarding, recover, rehearse, restore
from reconciler.hosts.memory import MemoryFleet, Universe
from reconciler.hosts.memory import fleet as memory_fleet
from reconciler.runtimes import registry
from reconciler.watch import leading
from tests.sim.driver import SimDriver
from tests.sim.test_example_runtime import HOST, Unasked

WORKLOAD = """
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {name: %s}
spec:
  placement: {host: %s}
  container: {image: "app", volumes: [{name: %s-data, target: /data}]}
---
"""


@asynccontextmanager
async def no_leases(fleet: Any, hosts: Any, owner: str, *_: Any, **__: Any) -> AsyncIterator[Unasked]:
    yield Unasked(fleet, owner, lambda _: None, {})


def two_hosts(folder: Path, patch: pytest.MonkeyPatch) -> Universe:
    """Hosts h1 and h2, a journal of their own, and `folder` as the current one."""
    universe = Universe()
    for name in ("h1", "h2"):
        universe.add(name).images["app"] = 2**20
    patch.setattr(registry, "BUILT_IN", {"podman": SimDriver})
    patch.setattr(compose, "reach", lambda spec: MemoryFleet(universe))
    patch.setattr(memory_fleet, "CONNECT_TIMEOUT", 0.05)  # here it would pass by a real clock, twice for each look
    for module in (app, checkpoint, restore, copying, discarding, recover, deciding, rehearse, leading):
        patch.setattr(module, "fleet_leases", no_leases)
    patch.setenv("RECONCILE_JOURNAL", str(folder / "journal"))
    patch.chdir(folder)
    return universe


def want(folder: Path, **places: str) -> None:
    """Specs in specs/: the hosts, and a workload on each of the hosts that are named."""
    (folder / "specs").mkdir(exist_ok=True)
    workloads = "".join(WORKLOAD % (name, host, name) for name, host in places.items())
    (folder / "specs" / "all.yaml").write_text(HOST % ("h1", 1) + HOST % ("h2", 2) + workloads)
