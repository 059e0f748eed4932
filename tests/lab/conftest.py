"""Real: hosts, SSH, Podman, CRIU. Each test session has a lab of its own, taken down whatever happens."""

from __future__ import annotations

import atexit
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.lab import DEMO_IMAGE, Lab, Probe, lab_names, remove, unusable
from tests.lab.dockers import cleared as emptied
from tests.lab.guests import cleared
from tests.lab.pair import IMAGE, Bench
from tests.lab.pods import cleared as unpodded
from tests.lab.tidying import CLOSE_LINKS, END_HOLDS, END_TREES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where this machine cannot run a lab, skip with the reason."""
    for marker, backend in (("lab", "namespace"), ("vm", "vm")):
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and (reason := unusable(backend)):
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def lab_factory() -> Iterator[Callable[..., Lab]]:
    """Makes labs by suffix of their name: `lab_factory("a", hosts=1)`. All are gone after the session."""
    names: list[str] = []
    _remove_orphans()

    def remove_all() -> None:
        while names:
            remove(names.pop())

    def make(suffix: str, **options: object) -> Lab:
        name = f"test-{os.getpid()}-{suffix}"
        if name not in names:
            names.append(name)
        return Lab.up(name, report=print, **options)  # type: ignore[arg-type]

    atexit.register(remove_all)
    try:
        yield make
    finally:
        remove_all()
        atexit.unregister(remove_all)


def _remove_orphans() -> None:
    """Labs of test sessions that were killed: the name holds the session's PID."""
    for name in lab_names():
        match = re.fullmatch(r"test-(\d+)-.*", name)
        if match and not Path("/proc", match[1]).exists():
            remove(name)


@pytest.fixture(scope="session")
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    """Three hosts, shared by the session: tests leave it as they found it, see `clean_lab`."""
    return lab_factory("s", hosts=3)


@pytest.fixture(scope="session")
def guests(lab_factory: Callable[..., Lab]) -> Lab:
    """Two hosts with libvirt, shared by the session; see `empty`."""
    return lab_factory("libvirt", hosts=2, backend="libvirt")


@pytest.fixture
def empty(guests: Lab) -> Iterator[Lab]:
    """The hosts with libvirt, up and without guests, before and after."""
    with cleared(guests):
        yield guests


@pytest.fixture(scope="session")
def dockers(lab_factory: Callable[..., Lab]) -> Lab:
    """Two hosts with Docker, shared by the session; see `engines`."""
    return lab_factory("docker", hosts=2, backend="docker")


@pytest.fixture
def engines(dockers: Lab) -> Iterator[Lab]:
    """The hosts with Docker, up and without containers, before and after."""
    with emptied(dockers):
        yield dockers


@pytest.fixture(scope="session")
def containerds(lab_factory: Callable[..., Lab]) -> Lab:
    """Two hosts with containerd, shared by the session; see `without_pods`."""
    return lab_factory("pods", hosts=2, backend="containerd")


@pytest.fixture
def without_pods(containerds: Lab) -> Iterator[Lab]:
    """The hosts with containerd, up and without pods, before and after."""
    with unpodded(containerds):
        yield containerds


@pytest.fixture
def clean_lab(lab: Lab) -> Iterator[Lab]:
    """The shared lab with all hosts, links and SSH servers up and without containers, before and after."""
    _tidy(lab)
    yield lab
    _tidy(lab)


def _tidy(lab: Lab) -> None:
    Lab.up(lab.name)
    # An address may come back with another MAC; this machine must not look for the old one.
    subprocess.run(["ip", "neigh", "flush", "to", str(lab.subnet)], check=True, capture_output=True)
    for host in lab.hosts:
        lab.set_link(host.name, True)
        lab.start_sshd(host.name)
        lab.exec(host.name, ["sh", "-c", END_HOLDS + CLOSE_LINKS], check=False)
        lab.exec(host.name, ["podman", "rm", "--all", "--force", "--time", "0"])
        lab.exec(host.name, ["podman", "volume", "rm", "--all", "--force"], check=False)
        lab.exec(host.name, ["podman", "secret", "rm", "--all"], check=False)
        # Image folders on tmpfs keep the container's folder busy; a page daemon may be left of one that is gone.
        free = "awk '/.checkpoint /{print $2}' /proc/mounts | xargs -r umount; rm -rf /var/lib/reconciler/*"
        lab.exec(host.name, ["sh", "-c", f"{END_TREES}pkill -9 -x criu; {free}"])


@pytest.fixture
def inventory(lab: Lab) -> Path:
    """The shared lab's `Host` documents."""
    return lab.inventory_path


@pytest.fixture(scope="session")
def prepared(lab_factory: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """For tests of plans and `doctor`: they leave it as they found it."""
    lab = lab_factory("preflight", hosts=2)
    bench = Bench(lab, tmp_path_factory.mktemp("specs"))
    (bench.folder / "hosts.yaml").write_text(lab.inventory_path.read_text())
    for host in ("h1", "h2"):
        lab.exec(host, ["podman", "tag", DEMO_IMAGE, IMAGE])
    bench.start("web", bench.web())
    return bench


@pytest.fixture
def bench(prepared: Bench, capsys: pytest.CaptureFixture[str]) -> Bench:
    prepared.capture = lambda: capsys.readouterr().out
    return prepared


@pytest.fixture
def client(bench: Bench) -> Iterator[Probe]:
    """Asks `web` all the time, on one connection. It must not notice anything."""
    before = bench.on("h1", "podman inspect --format '{{.State.Pid}} {{.State.StartedAt}}' web")
    with Probe(bench.ip(100)) as probe:
        yield probe
        seen = probe.stop()
    assert seen.survived, seen.error
    assert bench.on("h1", "podman inspect --format '{{.State.Pid}} {{.State.StartedAt}}' web") == before
