"""What tests of processes without a container engine put on a lab's hosts and into specs."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

import yaml

from reconciler.lab import Lab
from reconciler.lab.demo import build_counter
from tests.lab.repo import Repo

PROGRAM = "/usr/local/bin/counter"
SEGMENT = "segment"
_PUT = f"base64 -d >{PROGRAM}.new && chmod 755 {PROGRAM}.new && mv {PROGRAM}.new {PROGRAM}"


def built() -> bytes:
    """The counter."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "counter"
        build_counter(program)
        return program.read_bytes()


def put(lab: Lab, program: bytes) -> None:
    """The program is on the two hosts that trees move between; one that runs there goes on."""
    for host in ("h1", "h2"):
        lab.exec(host, ["sh", "-c", _PUT], input=base64.b64encode(program).decode())


def segment(repo: Repo) -> None:
    """Declare the network that trees join: the lab's own segment."""
    spec = {"driver": "macvlan", "parent": "e0", "ipam": {"subnet": str(repo.lab.subnet)}}
    network = {"apiVersion": "reconciler/v1alpha1", "kind": "Network", "metadata": {"name": SEGMENT}, "spec": spec}
    (repo.folder / "specs" / "network.yaml").write_text(yaml.safe_dump(network))


def tree(address: str, memory: int, host: str, **fields: object) -> dict[str, object]:
    """A workload's spec: the counter there; `fields` are of its process."""
    process = {
        "command": [PROGRAM, "--memory", str(memory)],
        "networks": [{"name": SEGMENT, "ip": address, "mac": "02:00:00:00:61:05"}],
        **fields,
    }
    return {
        "runtime": "process",
        "process": process,
        "placement": {"host": host},
        "health": {"tcp": {"port": 9000}, "within": "5s"},
    }
