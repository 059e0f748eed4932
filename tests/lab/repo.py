"""A spec repository in a folder and the real program run on it, as a user would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from reconciler.lab import DEMO_IMAGE, NETWORK, Lab

RECONCILE = Path(sys.executable).with_name("reconcile")


@dataclass
class Repo:
    """Specs for a lab's hosts. `journal` names the controller's memory; another name is another controller.
    `patience`: seconds a command may take; emulated machines are slow."""

    folder: Path
    lab: Lab
    journal: str = "journal.db"
    patience: float = 120
    workloads: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "specs").mkdir(parents=True, exist_ok=True)
        (self.folder / "specs" / "hosts.yaml").write_text(self.lab.inventory_path.read_text())

    def address(self, number: int = 0) -> str:
        """An address on the lab's segment for the workload with this number."""
        return str(self.lab.subnet[100 + number])

    def counter(self, name: str = "counter", on: str = "h1", number: int = 0, memory: int = 16, **spec) -> str:
        """Declare a counter; returns its address. `container` is merged into the container section."""
        container = {
            "image": DEMO_IMAGE,
            "command": ["/bin/counter", "--memory", str(memory), "--port", "9000"],
            "networks": [
                {
                    "name": NETWORK,
                    "ip": self.address(number),
                    "mac": f"02:00:00:00:{self.lab.subnet[0].packed[2]:02x}:{number:02x}",
                }
            ],
        } | spec.pop("container", {})
        body = {
            "container": container,
            "placement": {"host": on},
            "health": {"tcp": {"port": 9000}, "within": "5s"},
        }
        self.workloads[name] = body | spec
        self.write()
        return self.address(number)

    def place(self, name: str, on: str) -> None:
        self.workloads[name]["placement"] = {"host": on}
        self.write()

    def write(self) -> None:
        documents = [
            {"apiVersion": "reconciler/v1alpha1", "kind": "Workload", "metadata": {"name": name}, "spec": body}
            for name, body in self.workloads.items()
        ]
        (self.folder / "specs" / "workloads.yaml").write_text(yaml.safe_dump_all(documents))

    def policy(self, name: str, **spec) -> None:
        document = {"apiVersion": "reconciler/v1alpha1", "kind": "MigrationPolicy", "metadata": {"name": name}}
        (self.folder / "specs" / f"policy-{name}.yaml").write_text(yaml.safe_dump(document | {"spec": spec}))

    def environment(self) -> dict[str, str]:
        return os.environ | {"RECONCILE_JOURNAL": str(self.folder / self.journal), "NO_COLOR": "1"}

    def run(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run `reconcile`; the exit code must be `expect`."""
        done = subprocess.run(
            [RECONCILE, *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=self.patience,
        )
        assert expect is None or done.returncode == expect, f"{done.returncode}\n{done.stderr}\n{done.stdout}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, expect: int | None = 0) -> dict:
        return json.loads(self.run(*arguments, "--json", expect=expect).stdout)

    def apply(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        return self.run("apply", "--yes", *arguments, expect=expect)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin to run `reconcile`."""
        return subprocess.Popen(
            [RECONCILE, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def apply_until(
        self,
        text: str,
        then: Callable[[subprocess.Popen[str]], None],
        expect: int | None,
        more: tuple[str, ...] = (),
    ) -> tuple[str, str]:
        """Apply, and do `then` as soon as a progress line contains `text`; returns stdout and stderr."""
        job = self.start("apply", "--yes", *more)
        assert job.stderr is not None and job.stdout is not None
        lines = []
        for line in job.stderr:
            lines.append(line)
            if then and text in line:
                then(job)
                text = "\0"
        output = job.stdout.read()
        status = job.wait(timeout=self.patience)
        errors = "".join(lines)
        assert expect is None or status == expect, f"{status}\n{output}\n{errors}"
        assert "Traceback" not in errors
        return output, errors

    def running_on(self, name: str = "counter") -> list[str]:
        """The hosts whose kernel runs the workload's program in a container of that name, Podman's word and
        /proc's both."""
        found = []
        for host in self.lab.hosts:
            if host.state != "up":
                continue
            argv = ["podman", "ps", "--filter", f"name=^{name}$", "--format", "{{.Pid}} {{.State}}"]
            for line in self.lab.exec(host.name, argv).stdout.splitlines():
                pid, state = line.split()
                alive = self.lab.exec(host.name, ["test", "-d", f"/proc/{pid}"], check=False).returncode == 0
                if alive and state == "running":
                    found.append(host.name)
        return found


def kill(job: subprocess.Popen[str]) -> None:
    """The controller dies at once."""
    job.send_signal(signal.SIGKILL)


def interrupt(job: subprocess.Popen[str]) -> None:
    """Ctrl-C."""
    job.send_signal(signal.SIGINT)
