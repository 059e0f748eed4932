"""A whole watch in a process of its own, as `reconcile watch --page` starts one, over hosts that answer at once:
`python -m tests.bench.watched FOLDER PORT DRIFT [POLL]`; with POLL its specs are those of the repository that
FOLDER is. Real: specs, git, reading, looks, plans, the page and HTTP.
Made up: what hosts answer (as much as real ones, and never the same twice), connections and leases."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from reconciler.cli import main
from reconciler.commands import compose
from reconciler.core import answers
from reconciler.guard import guard
from reconciler.load import load
from reconciler.model.base import canonical_json
from reconciler.model.command import Command, Program, Result
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.spec import Spec, Workload
from reconciler.model.world import ContainerFacts, HostFacts, NetworkFacts, RuntimeFacts, VolumeFacts
from reconciler.runtimes import registry
from reconciler.watch import leading
from tests.load.fleet import HOSTS

LOOK = {
    "tools": "iptables-restore nsenter flock setsid timeout tar ip perl python3",
    "uid": "0",
    "kernel": "6.18.0",
    "arch": "x86_64",
    "version criu": "Version: 4.2.1",
    "features": "uffd",
    "memory": "available 8000000",
    "cgroup": "2",
    "disk": "100000000000",
}


def container(workload: Workload, number: int) -> dict[str, Any]:
    """What runs of a workload, with as much to be said of it as Podman says."""
    name, wanted = workload.metadata.name, workload.container
    return {
        "id": f"{number:064x}",
        "name": name,
        "image_id": "a" * 64,
        "image_name": wanted.image,
        "state": "running",
        "labels": {LABEL_WORKLOAD: name, LABEL_SPEC: canonical_json(wanted)},
        "annotations": {"org.criu.config": f"/var/lib/reconciler/workloads/{name}/criu.conf"},
        "oci_runtime": "runc",
        "pid": 1000 + number,
        "processes": 3,
        "started_at": 1_790_000_000.0,
        "rootfs_bytes": 2**20,
        "networks": [{"name": one.name, "ip": one.ip} for one in wanted.networks],
        "mounts": [
            {"kind": "volume", "name": v.name, "source": f"/v/{v.name}", "target": v.target}
            for v in wanted.volumes
        ],
        "tcp_established": [{"local": f"10.0.0.1:{n}", "peer": "10.0.9.9:5000"} for n in range(4)],
        "upper_dir": f"/var/lib/containers/storage/overlay/{number:064x}/diff",
    }


class Answers:
    """One host: each time its clock and the memory of what runs there are others."""

    def __init__(self, name: str, workloads: list[tuple[int, Workload]]) -> None:
        self.name, self.looks = name, 0
        self.containers = [container(workload, number) for number, workload in workloads]
        rows = [
            {
                "workload": workload.metadata.name,
                "epoch": 1,
                "phase": "running",
                "role": "owner",
                "run": "r",
                "peer": "",
                "hook": "none",
                "held_cs": 0,
                "silent_cs": 0,
                "verdict": "",
                "final": "",
                "status": None,
            }
            for _, workload in workloads
        ]
        self.markers = "".join(json.dumps(row) + "\n" for row in rows)
        self.volumes = [v.name for _, workload in workloads for v in workload.container.volumes]

    async def run(self, command: Command) -> Result:
        said = ""
        if command.argv[0] == "replayed":
            self.looks += 1
            now = [{**one, "memory_bytes": 2**20 + self.looks * 4096} for one in self.containers]
            said = json.dumps({"containers": now, "volumes": self.volumes})
        elif command.argv[-1] == "facts":
            parts = {**LOOK, "machine": f"boot\n{self.name}", "clock": f"{time.time():.2f}", "end": ""}
            said = "".join(f"\n@@ {name}\n{text}\n" for name, text in parts.items())
        elif "show" in command.argv:
            said = self.markers
        return Result(0, said, "", 0.0)


class Replayed:
    """Observes what these hosts say; nothing is changed here."""

    NAME = "podman"

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        result = yield Command(("replayed",))
        told = answers.mapping(answers.parsed(result.stdout, "it"), "it")
        return RuntimeFacts(
            version="5.4.2",
            versions={"runc": "1.4.0", "crun": "1.28"},
            instances=tuple(map(ContainerFacts.model_validate, told["containers"])),
            networks=(NetworkFacts(name="lan", driver="macvlan", subnets=("10.0.0.0/8",), parent="e0"),),
            volumes=tuple(
                VolumeFacts(name=name, labels={LABEL_WORKLOAD: f"w{name[5:]}"}) for name in told["volumes"]
            ),
        )

    def alive(self, workload: str) -> Program[Any]:
        raise NotImplementedError

    def prepare_host(self) -> Program[None]:
        yield from guard.install()


class Replies:
    def __init__(self, spec: Spec) -> None:
        there: dict[str, list[tuple[int, Workload]]] = {name: [] for name in spec.hosts}
        for number, workload in enumerate(spec.workloads.values()):
            there[f"h{int(workload.metadata.name[1:]) % HOSTS}"].append((number, workload))
        self.hosts = {name: Answers(name, workloads) for name, workloads in there.items()}

    def host(self, name: str) -> Answers:
        return self.hosts[name]

    async def close(self) -> None:
        return None


@asynccontextmanager
async def no_leases(*_: Any, **__: Any) -> AsyncIterator[None]:
    yield None


def watched(folder: Path, port: int, drift: str, poll: str = "") -> int:
    fleet = Replies(load([folder / "specs"]))
    registry.BUILT_IN = {"podman": Replayed}  # type: ignore[dict-item]
    compose.reach = lambda spec: fleet  # type: ignore[assignment,return-value]
    leading.fleet_leases = no_leases  # type: ignore[assignment]
    os.environ["RECONCILE_JOURNAL"] = str(folder / "journal")
    page = ["--page", "--listen", f"127.0.0.1:{port}"] if port else []
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    where = ["--repo", str(folder), "--poll", poll] if poll else [str(folder / "specs")]
    return main.run(["watch", *where, "--drift", drift, *page])


if __name__ == "__main__":
    sys.exit(watched(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
