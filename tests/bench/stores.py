"""What ten checkpoints of a workload whose memory changes slowly take: in a directory, in a repository of restic,
and as archives that Podman writes. All three are of the same moments, but for the seconds each of them takes."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator

from tests.bench.cells import MIB, BrokenRun, Cell
from tests.bench.figures import Figure
from tests.bench.ground import NAME, SOURCE, Ground

CELL = Cell(256, dirty=2)
CHECKPOINTS = 10
APART_S = 2.0
PASSWORD = "of-the-bench"
VARIABLE = "BENCH_VAULT"
REPOSITORY, FOLDER, ARCHIVES = "/srv/bench-repository", "/srv/bench-checkpoints", "/srv/bench-archives"
STORES = f"""\
apiVersion: reconciler/v1alpha1
kind: CheckpointStore
metadata: {{name: folder}}
spec: {{directory: {{host: {SOURCE}, folder: {FOLDER}}}}}
---
apiVersion: reconciler/v1alpha1
kind: CheckpointStore
metadata: {{name: repository}}
spec:
  restic: {{on: {SOURCE}, repository: {REPOSITORY}, fleet: bench, password: {{fromEnv: {VARIABLE}}}}}
"""


def measure(ground: Ground) -> list[Figure]:
    """None where this machine has no restic to give to the host."""
    program = shutil.which("restic")
    if program is None:
        return []
    pid = next(host.pid for host in ground.lab.hosts if host.name == SOURCE)
    shutil.copy(program, f"/proc/{pid}/root/usr/bin/restic")
    os.environ[VARIABLE] = PASSWORD
    specs = ground.folder / "specs" / "stores.yaml"
    try:
        ground.reset()
        specs.write_text(STORES)
        ground.place(CELL, SOURCE)
        ground.reconcile("apply", "--yes")
        _on(ground, f"mkdir -p {ARCHIVES}; {_restic('init')}")
        return list(_figures(ground))
    finally:
        specs.unlink(missing_ok=True)
        _on(ground, f"rm -rf {REPOSITORY} {FOLDER} {ARCHIVES} /var/lib/reconciler/restic")
        ground.reset()


def _figures(ground: Ground) -> Iterator[Figure]:
    first = {}
    for number in range(CHECKPOINTS):
        time.sleep(APART_S if number else 0)
        for store in ("folder", "repository"):
            ground.reconcile("checkpoint", NAME, "--to", store)
        _on(
            ground,
            "podman container checkpoint --leave-running --tcp-established --compress zstd"
            f" -e {ARCHIVES}/{number}.tar.zst {NAME}",
        )
        if not number:
            first = {at: _size(ground, at) for at in (FOLDER, REPOSITORY, ARCHIVES)}
    for at, called in (
        (ARCHIVES, "`podman container checkpoint -e --compress zstd`"),
        (FOLDER, "a directory"),
        (REPOSITORY, "a repository of restic"),
    ):
        what = f"{CHECKPOINTS} checkpoints of {CELL.memory_mib} MiB of which {CELL.dirty} MiB/s change: {called}"
        yield Figure(what, _size(ground, at) / MIB, "MiB")
        later = (_size(ground, at) - first[at]) / (CHECKPOINTS - 1)
        yield Figure(f"the same, each after the first: {called}", later / MIB, "MiB")
    began = time.monotonic()
    _on(ground, _restic("check --read-data"))
    yield Figure("`restic check --read-data` of it", time.monotonic() - began, "s")
    verified = json.loads(ground.reconcile("checkpoints", "verify", NAME, "--in", "repository", "--json").stdout)
    if len(verified["checkpoints"]) != CHECKPOINTS or any(one["wrong"] for one in verified["checkpoints"]):
        raise BrokenRun("what is in the repository is not what was put there")


def _size(ground: Ground, folder: str) -> int:
    return int(_on(ground, f"du -s --apparent-size -B1 {folder} | cut -f1"))


def _restic(words: str) -> str:
    return f"RESTIC_PASSWORD={PASSWORD} restic -q -r {REPOSITORY} {words}"


def _on(ground: Ground, script: str) -> str:
    return ground.lab.exec(SOURCE, ["sh", "-c", script], timeout_seconds=600).stdout.strip()
