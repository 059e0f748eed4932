"""The move as people do it by hand: checkpoint to a file, copy the file, restore from it, over ssh."""

from __future__ import annotations

import subprocess
import time

from reconciler.lab import DEMO_IMAGE, NETWORK
from tests.bench.cells import BrokenRun, Cell, Run
from tests.bench.ground import DESTINATION, MAC, NAME, SOURCE, Ground

FILE = "/tmp/bench.tar"
RUNTIME = "runc"
"""What the other way uses too: crun 1.21 needs two seconds more for each restore."""
KEYS = "/root/bench-keys"
SCP = f"scp -q -i {KEYS}/id -o IdentitiesOnly=yes -o UserKnownHostsFile={KEYS}/known -o HostKeyAlias={DESTINATION}"


def prepare(ground: Ground) -> None:
    """Let the source log in to the destination, as its administrator would have it."""
    known = (ground.lab.folder / "known_hosts").read_text()
    key = (ground.lab.folder / "id_ed25519").read_text()
    put = f"umask 077; mkdir -p {KEYS}; cat >{KEYS}"
    ground.lab.exec(SOURCE, ["sh", "-c", f"{put}/id"], input=key)
    ground.lab.exec(SOURCE, ["sh", "-c", f"{put}/known"], input=known)


def move(ground: Ground, cell: Cell) -> Run:
    """Start the cell's workload and move it once. BrokenRun when it is not the same afterwards."""
    network = f"--network {NETWORK} --ip {ground.address} --mac-address {MAC}"
    command = f"/bin/counter --memory {cell.memory_mib} --dirty {cell.dirty} --port 9000"
    ssh(ground, SOURCE, f"podman --runtime {RUNTIME} run -d --name {NAME} {network} {DEMO_IMAGE} {command}")
    there = f"{ground.lab.spec.address(DESTINATION)}"
    steps = {
        "checkpoint": (SOURCE, f"podman container checkpoint {NAME} -e {FILE} --compress zstd --tcp-established"),
        "copy": (SOURCE, f"{SCP} {FILE} root@{there}:{FILE}"),
        "restore": (DESTINATION, f"podman container restore -i {FILE} --tcp-established"),
    }
    parts: dict[str, float] = {}
    with ground.client() as client:
        sent = ground.sent(SOURCE)
        began = time.monotonic()
        for name, (host, words) in steps.items():
            step = time.monotonic()
            ssh(ground, host, words)
            parts[name] = time.monotonic() - step
        total = time.monotonic() - began
        sent = ground.sent(SOURCE) - sent
    return Run(client.downtime_s, total, sent, parts)


def ssh(ground: Ground, host: str, command: str) -> str:
    """What the command says; BrokenRun where it fails."""
    argv = ["ssh", "-F", str(ground.lab.ssh_config_path), host, command]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=1500, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise BrokenRun(f"`{command}` on {host} does not end") from error
    if done.returncode != 0:
        raise BrokenRun(f"`{command}` on {host} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()
