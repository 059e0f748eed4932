"""Moves of the other runtimes: trees of processes against Podman's containers, Docker's against what people type,
and virtual machines against `virsh migrate`. Each pair takes turns in one lab, so that whatever else the machine
does falls on both."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from reconciler.errors import CommandFailed
from reconciler.lab import DEMO_IMAGE, NETWORK, Report
from tests.bench import manual, ours
from tests.bench.cells import BrokenRun, Cell, Series
from tests.bench.figures import Figure
from tests.bench.ground import DESTINATION, MAC, NAME, SOURCE, Ground, ground, touch_for
from tests.faults.grounds import DOCKER, PROCESS
from tests.lab import guests, trees

SMALL, MIDDLE, LARGE = Cell(4), Cell(64), Cell(512)
GUEST = Cell(16)
Way = Callable[[Cell], float]
"""Moves the cell's workload once; what a client waited, in seconds."""


class ProcessGround(Ground):
    """Trees of processes, in the lab of Podman's."""

    def documents(self, cell: Cell, host: str) -> str:
        spec = trees.tree(self.address, cell.memory_mib, host)
        network = {"driver": "macvlan", "parent": "e0", "ipam": {"subnet": str(self.lab.subnet)}}
        return yaml.safe_dump_all(
            [_document("Workload", NAME, spec), _document("Network", trees.SEGMENT, network)]
        )

    def reset(self) -> None:
        self._on_both(PROCESS.tidy)


class DockerGround(Ground):
    def documents(self, cell: Cell, host: str) -> str:
        return super().documents(cell, host).replace("spec:\n", "spec:\n  runtime: docker\n", 1)

    def reset(self) -> None:
        self._on_both(DOCKER.tidy)


class LibvirtGround(Ground):
    def documents(self, cell: Cell, host: str) -> str:
        spec = {
            "runtime": "libvirt",
            "virtualMachine": {"domain": self.domain(cell), "address": self.address, "stopWithin": "1s"},
            "placement": {"host": host},
            "health": {"tcp": {"port": 9000}, "within": "3m"},
            "migration": {"policy": "bench"},
        }
        live = {"live": {"transport": "tcp", "within": "3m"}}
        return yaml.safe_dump_all([_document("Workload", NAME, spec), _document("MigrationPolicy", "bench", live)])

    def domain(self, cell: Cell) -> str:
        return guests.domain(self.address, memory=cell.memory_mib)

    def reset(self) -> None:
        self._on_both(guests.CLEAR)


def _document(kind: str, name: str, spec: Mapping[str, object]) -> dict[str, object]:
    return {"apiVersion": "reconciler/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def measure(say: Report, n: int) -> list[Figure]:
    """All that there are; each lab is taken down before the next one comes."""
    return [*_processes(say, n), *_docker(say, n), *_libvirt(say, n)]


def _processes(say: Report, n: int) -> Iterator[Figure]:
    with ground(say) as lab, _trees_on(lab, say) as tree:
        trees.put(lab.lab, trees.built())
        ways = {"a tree": (tree, _ours(tree)), "Podman": (lab, _ours(lab))}
        small = _in_turn(ways, SMALL, n, say)
        yield Figure("downtime, process, 4 MiB", small["a tree"], "s", 0.20)
        yield Figure("the same, 4 MiB, against Podman's in turn", small["a tree"] / small["Podman"], "times")
        large = _in_turn(ways, LARGE, n, say)
        yield Figure("downtime, process, 512 MiB", large["a tree"], "s")
        ratio = large["a tree"] / large["Podman"]
        yield Figure("the same, 512 MiB, against Podman's in turn", ratio, "times", 1.0)


@contextmanager
def _trees_on(lab: Ground, say: Report) -> Iterator[ProcessGround]:
    """The same hosts, with specs of trees in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as folder:
        yield ProcessGround(lab.lab, Path(folder), say)


def _docker(say: Report, n: int) -> Iterator[Figure]:
    with ground(say, "docker", DockerGround) as lab:
        manual.prepare(lab)
        ways = {"ours": (lab, _ours(lab)), "by hand": (lab, lambda cell: _docker_by_hand(lab, cell))}
        took = _in_turn(ways, MIDDLE, n, say)
        yield Figure("downtime, docker, 64 MiB", took["ours"], "s")
        yield Figure("the same, share of by hand", took["ours"] / took["by hand"], "", 0.6)


def _libvirt(say: Report, n: int) -> Iterator[Figure]:
    with ground(say, "libvirt", LibvirtGround) as lab:
        assert isinstance(lab, LibvirtGround)
        ways = {"ours": (lab, _ours(lab)), "by hand": (lab, lambda cell: _virsh_by_hand(lab, cell))}
        took = _in_turn(ways, GUEST, n, say)
        yield Figure("client gap, libvirt, 16 MiB in a guest of 256 MiB", took["ours"], "s")
        yield Figure("the same, against virsh migrate", took["ours"] / took["by hand"], "times", 1.3)


def _ours(lab: Ground) -> Way:
    return lambda cell: ours.move(lab, cell).downtime_s


def _in_turn(ways: Mapping[str, tuple[Ground, Way]], cell: Cell, n: int, say: Report) -> dict[str, float]:
    """Medians of `n` moves each way, after one that does not count. BrokenRun where a way had none that counts."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    broken = Series().broken
    touch_for(cell)
    for turn in range(n + 1):
        for name, (lab, way) in ways.items():
            for one, _ in ways.values():
                one.reset()
            try:
                seconds = way(cell)
                said = f"{seconds:.2f} s"
                took[name] += [seconds] if turn else []
            except (BrokenRun, CommandFailed, OSError, subprocess.TimeoutExpired) as error:
                broken.append(str(error))
                said = f"BROKEN: {error}"
            finally:
                lab.reset()
            say(f"{cell.name}  {f'{turn}/{n}' if turn else 'warm-up'}  {name:<8} {said}")
    if missing := [name for name, seconds in took.items() if not seconds]:
        raise BrokenRun(f"{', '.join(missing)}: {broken[-1]}")
    return {name: sorted(seconds)[len(seconds) // 2] for name, seconds in took.items()}


_CONF = "/root/bench-criu.conf"
_ROOT = "$(docker info --format '{{.DockerRootDir}}')/containers"


def _docker_by_hand(lab: Ground, cell: Cell) -> float:
    """checkpoint create, copy, start --checkpoint. What a restore needs there is made before the clock runs."""
    words = f"--name {NAME} --annotation org.criu.config={_CONF} --network {NETWORK} --ip {lab.address}"
    words += f" --mac-address {MAC} {DEMO_IMAGE} /bin/counter --memory {cell.memory_mib} --port 9000"
    id_of = f"$(docker inspect --format '{{{{.Id}}}}' {NAME})"
    manual.ssh(lab, SOURCE, f"echo tcp-established >{_CONF}; docker run -d {words}")
    manual.ssh(lab, DESTINATION, f"docker create {words} && mkdir -p {_ROOT}/{id_of}/checkpoints")
    manual.ssh(lab, DESTINATION, f"printf 'tcp-established\\ncgroup-root :/docker/%s\\n' {id_of} >{_CONF}")
    place = manual.ssh(lab, DESTINATION, f"echo {_ROOT}/{id_of}/checkpoints/")
    with lab.client() as client:
        manual.ssh(lab, SOURCE, f"docker checkpoint create {NAME} bench")
        at = f"root@{lab.lab.spec.address(DESTINATION)}:{place}"
        manual.ssh(lab, SOURCE, f"{manual.SCP} -r {_ROOT}/{id_of}/checkpoints/bench {at}")
        manual.ssh(lab, DESTINATION, f"docker start --checkpoint bench {NAME}")
    return client.downtime_s


def _virsh_by_hand(lab: LibvirtGround, cell: Cell) -> float:
    put = ["sh", "-c", "cat >/tmp/bench.xml && virsh -q create /tmp/bench.xml"]
    lab.lab.exec(SOURCE, put, input=lab.domain(cell), timeout_seconds=60)
    to = guests.URI.format(address=lab.lab.spec.address(DESTINATION))
    with lab.client() as client:
        manual.ssh(lab, SOURCE, shlex.join(["virsh", "-q", "migrate", "--p2p", "--live", NAME, to]))
    return client.downtime_s
