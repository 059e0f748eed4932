"""Two hosts and a workload on one of them that every plan wants on the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.cli.main import run
from reconciler.lab import Lab
from reconciler.model.base import canonical_json
from reconciler.model.container import Container
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD

IMAGE = "localhost/app:1"
MAC = "02:00:00:00:02:00"
API = "reconciler/v1alpha1"


@dataclass
class Bench:
    """Two hosts; the workload `web` runs on h1 and every plan wants it on h2."""

    lab: Lab
    folder: Path
    capture: Callable[[], str] = field(default=lambda: "")

    def on(self, host: str, script: str, check: bool = True) -> str:
        return self.lab.exec(host, ["sh", "-c", script], check=check, timeout_seconds=60).stdout.strip()

    def ip(self, last: int) -> str:
        return str(self.lab.subnet[last])

    def web(self) -> dict[str, object]:
        return {
            "image": IMAGE,
            "networks": [{"name": "lab", "ip": self.ip(100), "mac": MAC}],
            "volumes": [{"name": "web-data", "target": "/data"}],
        }

    def specs(
        self, *workloads: tuple[str, dict[str, object], str], policy: dict[str, object] | None = None
    ) -> Path:
        """A folder with the hosts and these workloads, (name, container, host), which move as the policy says."""
        path = self.folder / "workloads.yaml"
        how = {"migration": {"policy": "p"}} if policy else {}
        documents: list[dict[str, object]] = [
            {
                "apiVersion": API,
                "kind": "Workload",
                "metadata": {"name": name},
                "spec": {"container": container, "placement": {"host": host}, **how},
            }
            for name, container, host in workloads
        ]
        if policy:
            documents.append(
                {"apiVersion": API, "kind": "MigrationPolicy", "metadata": {"name": "p"}, "spec": policy}
            )
        path.write_text("\n---\n".join(json.dumps(document) for document in documents))
        return self.folder

    def plan(
        self, *workloads: tuple[str, dict[str, object], str], policy: dict[str, object] | None = None
    ) -> dict[str, object]:
        specs = self.specs(*workloads, policy=policy)
        self.capture()
        code = run(["plan", str(specs), "--json", "--journal", str(self.folder / "journal")])
        plan: dict[str, object] = json.loads(self.capture())
        assert "findings" in plan, plan
        assert code == (1 if plan["refused"] else 0)
        return plan

    def start(self, name: str, container: dict[str, object], *options: str) -> None:
        """A container on h1 as Reconciler labels it, with options that no spec can say."""
        wanted = Container.model_validate(container)
        mounts = [f"--volume={m.source}:{m.target}:ro" for m in wanted.mounts]
        networks = [
            f"--network={n.name}:" + ",".join(f"{k}={v}" for k, v in (("ip", n.ip), ("mac", n.mac)) if v)
            for n in wanted.networks
        ]
        volumes = [f"--volume={v.name}:{v.target}" for v in wanted.volumes]
        for volume in wanted.volumes:
            label = f"--label={LABEL_WORKLOAD}={name}"
            self.lab.exec("h1", ["podman", "volume", "create", "--ignore", label, volume.name])
        labels = [f"--label={LABEL_WORKLOAD}={name}", f"--label={LABEL_SPEC}={canonical_json(wanted)}"]
        argv = [
            "podman",
            "--runtime",
            "runc",
            "run",
            "-d",
            f"--name={name}",
            "--annotation=org.criu.config=/x",
            *labels,
        ]
        self.lab.exec("h1", [*argv, *networks, *volumes, *mounts, *options, wanted.image, *wanted.command])
