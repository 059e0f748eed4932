"""The ground both ways are measured on: a lab of its own, one workload, one client, a clean slate for each run."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab import DEMO_IMAGE, NETWORK, Lab, Probe, ProbeResult, Report, remove
from reconciler.lab.spec import labs_folder
from reconciler.lab.tools import locked
from tests.bench.cells import MIB, BrokenRun, Cell
from tests.bench.processes import Ran, run

LAB = "bench"
NAME = "counter"
MAC = "02:00:00:00:01:00"
SOURCE, DESTINATION = "h1", "h2"
RECONCILE = Path(sys.executable).with_name("reconcile")
READY_S = 240.0
VM_MEMORY_MIB = 4096
"""Room for the workload, its images and what is restored of them."""
SETTLE_S = 0.5
"""How long a client talks to the workload before and after a move."""
ANSWER_S = 240.0
"""A client that backed off may ask again only this late."""

WORKLOAD = """\
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {{name: {name}}}
spec:
  container:
    image: {image}
    command: [/bin/counter, --memory, "{memory}", --dirty, "{dirty}", --port, "9000"]
    networks: [{{name: {network}, ip: {address}, mac: "{mac}"}}]
  placement: {{host: {host}}}
  migration: {{policy: bench}}
  health: {{tcp: {{port: 9000}}, within: 5s}}
---
apiVersion: reconciler/v1alpha1
kind: MigrationPolicy
metadata: {{name: bench}}
spec: {{strategy: {strategy}}}
"""

_RESET = """
podman rm -fa -t 0 >/dev/null 2>&1
awk '$2 ~ /userdata\\/(checkpoint|precopy)$/ {print $2}' /proc/mounts | while read -r at; do umount -l "$at"; done
rm -rf /var/lib/reconciler/workloads/* /tmp/bench.tar
true
"""


@dataclass(frozen=True)
class Client:
    """A probe, and when it began to ask, on this machine's clock."""

    probe: Probe
    began_at: float

    @property
    def downtime_s(self) -> float:
        """The longest wait so far."""
        return self.probe.result().longest_wait_seconds

    @property
    def window(self) -> tuple[float, float]:
        """When the longest wait began and ended."""
        seen = self.probe.result()
        begin = self.began_at + seen.longest_wait_at_seconds
        return begin, begin + seen.longest_wait_seconds


class Ground:
    """A lab with two hosts, and a git repository with specs for it."""

    def __init__(self, lab: Lab, folder: Path, report: Report) -> None:
        self.lab = lab
        self.folder = folder
        self.report = report
        self.address = str(lab.subnet[100])
        self.journal = folder / ".git" / "reconcile.db"
        (folder / "specs").mkdir()
        (folder / "specs" / "hosts.yaml").write_text(lab.inventory_path.read_text())
        self._git("init", "-q", "-b", "main")

    def shape(self, rate: str) -> None:
        """Give all links of the lab this rate; empty: none."""
        if (self.lab.spec.rate or "") != rate:
            self.lab = Lab.up(LAB, hosts=2, rate=rate)

    def reset(self) -> None:
        """No container, no marker: as if nothing had ever been run here. The journal knows of earlier moves."""
        self._on_both(_RESET)

    def _on_both(self, script: str) -> None:
        for host in (SOURCE, DESTINATION):
            self.lab.exec(host, ["sh", "-c", script], timeout_seconds=120)

    def forget(self) -> None:
        """No journal: the next move is the first between these hosts."""
        for leftover in self.folder.joinpath(".git").glob("reconcile.db*"):
            if leftover.is_file():
                leftover.unlink()

    def place(self, cell: Cell, host: str) -> None:
        """Write and commit the spec that puts the cell's workload on a host."""
        (self.folder / "specs" / "counter.yaml").write_text(self.documents(cell, host))
        self._git("add", "-A")
        self._git("commit", "-qm", f"Run the counter on {host}", "--allow-empty")

    def documents(self, cell: Cell, host: str) -> str:
        """The cell's workload there, and what its spec names."""
        return WORKLOAD.format(
            name=NAME,
            image=DEMO_IMAGE,
            memory=cell.memory_mib,
            dirty=cell.dirty,
            network=NETWORK,
            address=self.address,
            mac=MAC,
            host=host,
            strategy=cell.strategy or "auto",
        )

    def reconcile(self, *arguments: str, watch: bool = False) -> Ran:
        """Run the program as a user would; BrokenRun with its last words when it fails."""
        return self.program([RECONCILE, *arguments], watch=watch)

    def program(self, argv: list[str | Path], *, watch: bool = False) -> Ran:
        """Run a program in the repository, with this bench's journal."""
        env = os.environ | {"RECONCILE_JOURNAL": str(self.journal), "NO_COLOR": "1"}
        done = run(argv, cwd=self.folder, env=env, watch=watch)
        if done.status != 0:
            words = " ".join(str(word) for word in argv[1:])
            raise BrokenRun(f"`{words}` ended with {done.status}: {_last(done.stdout + done.stderr)}")
        return done

    def sent(self, host: str) -> int:
        """Bytes a host's card has sent so far; containers on it included."""
        return int(self.lab.exec(host, ["cat", "/sys/class/net/e0/statistics/tx_bytes"]).stdout)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client that asks all the time. BrokenRun afterwards unless connection, count and memory survived."""
        probe = Probe(self.address, checksums=True)
        probe.start(connect_within_seconds=READY_S)
        client = Client(probe, time.time())
        try:
            time.sleep(SETTLE_S)
            yield client
            _await_answer(probe)
            time.sleep(SETTLE_S)
        finally:
            seen = probe.stop()
        _judge(seen)

    def _git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        subprocess.run(
            ["git", "-C", self.folder, *identity, *arguments], check=True, stdout=subprocess.DEVNULL, timeout=60
        )


@contextmanager
def ground(
    report: Report, backend: str = "namespace", kind: Callable[[Lab, Path, Report], Ground] = Ground
) -> Iterator[Ground]:
    """Bring the lab up; take it down whatever happens. One bench at a time on a machine."""
    machines = {"memory_mib": VM_MEMORY_MIB} if backend == "vm" else {}
    mark = labs_folder() / f".{LAB}.in-use"
    with locked(mark, on_wait=lambda: report("waiting for another bench to end")):
        remove(LAB)
        try:
            lab = Lab.up(LAB, hosts=2, report=report, backend=backend, **machines)
            with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
                yield kind(lab, Path(name), report)
        finally:
            remove(LAB)


def touch_memory(count: int) -> None:
    """Write to so many bytes of memory and give them back: pages this machine never used are slow at first use."""
    with mmap.mmap(-1, count) as area:
        for at in range(0, count, mmap.PAGESIZE):
            area[at] = 1


def touch_for(cell: Cell) -> None:
    """As much as a move of the cell may use: the workload and its images, on both hosts."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    touch_memory(min((4 * cell.memory_mib + 256) * MIB, free // 2))


def _await_answer(probe: Probe) -> None:
    before, deadline = probe.result().replies, time.monotonic() + ANSWER_S
    while probe.result().replies <= before and not probe.result().error:
        if time.monotonic() > deadline:
            raise BrokenRun(f"the client got no answer for {ANSWER_S:g} s after the move")
        time.sleep(0.02)


def _judge(seen: ProbeResult) -> None:
    if not seen.survived:
        raise BrokenRun(f"the client's connection broke: {seen.error}")
    if not seen.memory_intact:
        raise BrokenRun("the workload's memory is not what it was")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-3:])[:400]
