"""A third party's runtime beside ours, through the real command line. Fake: the hosts (in memory), Podman on them,
and leases, which the simulated guard does not have."""

import json
import sys
from contextlib import asynccontextmanager

import pytest

from reconciler.cli.main import run
from reconciler.commands import app, compose
from reconciler.engine.lease import Leases
from reconciler.hosts.memory import MemoryFleet, Universe
from reconciler.runtimes import registry
from reconciler.runtimes.base import Lifecycle, Transactional
from tests.example_runtime import Plain
from tests.sim.driver import SimDriver

METADATA = "Metadata-Version: 2.1\nName: example-runtime\nVersion: 1.0\n"
POINTS = "[reconciler.runtimes]\nplain = tests.example_runtime:Plain\nbroken = tests.example_runtime:Missing\n"
HOST = """
apiVersion: reconciler/v1alpha1
kind: Host
metadata: {name: %s}
spec: {address: 192.0.2.%s}
---
"""
WORKLOAD = """
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {name: %s}
spec:
  runtime: %s
  placement: {host: %s}
  state: %s
  container: {image: "app", command: %s}
---
"""


class Unasked(Leases):
    """Leases that no host is asked for."""

    @property
    def hosts(self):
        return frozenset(("h1", "h2"))

    async def keep_only(self, hosts):
        return None


@asynccontextmanager
async def no_leases(fleet, hosts, owner, lost, warn):
    yield Unasked(fleet, owner, warn, {})


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    """Two machines, an installed package, and specs in the current folder."""
    package = tmp_path / "site" / "example_runtime-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text(METADATA)
    (package / "entry_points.txt").write_text(POINTS)
    monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])
    universe = Universe()
    for name in ("h1", "h2"):
        universe.add(name).images["app"] = 2**20
    monkeypatch.setattr(registry, "BUILT_IN", {"podman": SimDriver})
    monkeypatch.setattr(compose, "reach", lambda spec: MemoryFleet(universe))
    monkeypatch.setattr(app, "fleet_leases", no_leases)
    monkeypatch.setenv("RECONCILE_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.chdir(tmp_path)
    return universe


def want(tmp_path, *, host="h1", state="running", runtime="plain", command=("serve",)):
    workloads = WORKLOAD % ("web", runtime, host, state, json.dumps(command))
    workloads += WORKLOAD % ("db", "podman", "h2", "running", "[]")
    (tmp_path / "specs").mkdir(exist_ok=True)
    (tmp_path / "specs" / "all.yaml").write_text(HOST % ("h1", 1) + HOST % ("h2", 2) + workloads)


def states(universe):
    return {name: {c.name: c.state for c in m.containers.values()} for name, m in universe.machines.items()}


def test_it_is_made_made_anew_stopped_and_removed_beside_podmans(fleet, tmp_path, capsys):
    want(tmp_path)
    assert run(["apply", "--yes"]) == 0, capsys.readouterr().err
    assert states(fleet) == {"h1": {"plain.web": "running"}, "h2": {"db": "running"}}
    first = fleet.machines["h1"].containers["plain.web"].id
    assert run(["plan"]) == 0
    want(tmp_path, command=("serve", "--more"))
    assert run(["apply", "--yes", "--allow-interruptions", "1"]) == 0, capsys.readouterr().err
    assert states(fleet)["h1"] == {"plain.web": "running"}
    assert fleet.machines["h1"].containers["plain.web"].id != first
    want(tmp_path, command=("serve", "--more"), state="stopped")
    assert run(["apply", "--yes", "--allow-interruptions", "1"]) == 0, capsys.readouterr().err
    assert states(fleet)["h1"] == {"plain.web": "exited"}
    (tmp_path / "specs" / "all.yaml").write_text(HOST % ("h1", 1) + HOST % ("h2", 2))
    assert run(["apply", "--yes", "--allow-removals", "2", "--allow-empty"]) == 0, capsys.readouterr().err
    assert states(fleet) == {"h1": {}, "h2": {}}


def test_what_it_cannot_is_refused_with_the_name_of_the_ability(fleet, tmp_path, capsys):
    want(tmp_path)
    assert run(["apply", "--yes"]) == 0, capsys.readouterr().err
    want(tmp_path, host="h2")
    capsys.readouterr()
    assert run(["plan", "--json"]) == 1
    found = {finding["code"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert found["runtime.ability"]["message"] == "the runtime plain lacks the ability `moves`"
    want(tmp_path, runtime="podman")
    assert run(["plan"]) == 1
    assert "it is made with plain, its spec says podman" in capsys.readouterr().out


def test_it_is_listed_with_what_it_can_and_what_is_broken_is_named(fleet, tmp_path, capsys):
    want(tmp_path)
    assert isinstance(Plain(), Lifecycle) and not isinstance(Plain(), Transactional)
    assert run(["runtimes", "h1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "plain    example-runtime 1.0  container  lifecycle" in lines
    assert any("broken" in line and "cannot be loaded" in line for line in lines)
    run(["doctor", "h1"])
    told = capsys.readouterr().out
    assert "plain 1.0" in told and "the runtime broken of example-runtime 1.0: it cannot be loaded" in told
    assert [line.split() for line in lines[-2:]] == [["host", "podman", "plain"], ["h1", "5.4.2", "1.0"]]
