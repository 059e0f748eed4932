"""What going back costs a client: a large workload, the failure at the last moment before the commit."""

from __future__ import annotations

import atexit
import os
import tempfile
import time
from pathlib import Path

from reconciler.lab import Lab, remove
from reconciler.lab.probe import Probe
from tests.faults import blows
from tests.faults.bench import HOSTS, Bench, placed
from tests.faults.model import Point, Strike
from tests.faults.shapes import move
from tests.faults.watch import Watch

MEMORY_MIB = 512
ROUNDS = 3
FAILURES = {
    "Ctrl-C": Strike("interrupt", "transfer", Point.COMMAND_AFTER),
    "destination's sshd killed": Strike("kill_sshd", "transfer", Point.AFTER_INTENT, host="destination"),
    "CRIU cannot restore": Strike("break_criu", "restore", Point.AFTER_INTENT, host="destination"),
}
"""The last one strikes after the commit: going back then takes a proof first."""


def measure() -> dict[str, object]:
    """Medians of a few rounds, in seconds: what the client waited, and from the failure to its next answer."""
    name = f"faults-{os.getpid()}-figures"
    atexit.register(remove, name)
    lab = Lab.up(name, hosts=len(HOSTS))
    figures: dict[str, object] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            bench = Bench(lab, Path(folder), memory=MEMORY_MIB)
            bench.watch = Watch(lab.name, HOSTS)
            bench.policy({"silenceLimit": "60s"})
            for what, strike in FAILURES.items():
                rounds = sorted(abort(bench, strike) for _ in range(ROUNDS))
                gap, back = rounds[len(rounds) // 2]
                figures[f"{MEMORY_MIB} MiB, {what}: client waited, s"] = gap
                figures[f"{MEMORY_MIB} MiB, {what}: failure to next answer, s"] = back
    finally:
        remove(name)
    return figures


def abort(bench: Bench, strike: Strike) -> tuple[float, float]:
    """One aborted move: the client's longest wait, and how much of it came after the failure."""
    scene = move(bench)
    probe = Probe(bench.address, checksums=True).start()
    began = time.monotonic()
    done = bench.run("apply", "--yes", strikes=placed((strike,), scene.hosts))
    time.sleep(0.5)
    seen = probe.stop()
    assert seen.survived and seen.memory_intact and bench.running() == [scene.source], done.output
    blows.repair(bench.lab)
    bench.run("resume")
    bench.dirty = False
    answered = began + seen.longest_wait_at_seconds + seen.longest_wait_seconds
    return round(seen.longest_wait_seconds, 3), round(answered - done.struck_at[0], 3)
