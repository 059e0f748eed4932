"""A move of a pod by nothing but calls of CRI, as a person would make them: what ours is measured against."""

from __future__ import annotations

import subprocess
import time
import uuid
from typing import Any

from reconciler.lab import DEMO_IMAGE, Lab, Probe
from reconciler.model.container import Container
from reconciler.model.labels import ANNOTATION_CRIU
from reconciler.resources import host_script
from reconciler.runtimes.cri import calls, configs
from reconciler.runtimes.cri.calls import CriCall
from reconciler.runtimes.cri.making import REGISTRY
from reconciler.runtimes.cri.messages import mapping, pairs
from tests.lab.pods import ask

CONF = "/root/by-hand.conf"
ARCHIVE = "/root/by-hand.tar"


class ByHand:
    """One pod with a counter, at this address."""

    def __init__(self, lab: Lab, address: str, mac: str, memory: int) -> None:
        self.lab, self.address, self.mac = lab, address, mac
        given = {"image": DEMO_IMAGE, "command": ["/bin/counter", "--memory", str(memory)]}
        self.wanted = Container.model_validate(given)
        self.image = self._known()

    def _known(self) -> str:
        """The image by a name that a registry at each host knows it by."""
        for host in ("h1", "h2"):
            said = self.lab.exec(host, ["ctr", "-n", "k8s.io", "images", "ls", f"name=={DEMO_IMAGE}"]).stdout
            _, media, digest = said.splitlines()[1].split()[:3]
            size = self.lab.exec(host, ["sh", "-c", f"ctr -n k8s.io content get {digest} | wc -c"]).stdout.strip()
            known = (
                f'setsid perl -e "$1" {REGISTRY.partition("/")[0]} {digest} {media} {size} 120 >/dev/null 2>&1 &'
            )
            self.lab.exec(host, ["sh", "-c", known, "sh", host_script("cri", "known", "pl")])
            time.sleep(0.3)
            lines = "file-locks\ntcp-established\n"
            self.lab.exec(host, ["sh", "-c", f"printf '%s' '{lines}' > {CONF}"])
        name = f"{REGISTRY}@{digest}"
        self._ask("h1", CriCall("PullImage", "pull", {"image": {"image": name}}, "pulled"))
        return name

    def _ask(self, host: str, *asked: CriCall) -> list[Any]:
        return calls.done(ask(self.lab, host, *asked), asked)

    def _pod(self, host: str) -> tuple[str, dict[str, Any]]:
        pod = configs.pod("manual", self.wanted, uuid.uuid4().hex)
        (ran,) = self._ask(host, CriCall("RunPodSandbox", "runpod", {"config": pod}, "id"))
        status = CriCall("PodSandboxStatus", "ask", {"id": ran.id, "verbose": 1}, "podanswer")
        (said,) = self._ask(host, status)
        pid = mapping(said.info)["info"].partition('"pid":')[2].partition(",")[0]
        argv = calls.shell("address", pid.strip(), "/run/by-hand/routes", "up", self.address, "", self.mac)
        self.lab.exec(host, argv)
        return ran.id, pod

    def _made(self, host: str, image: str) -> tuple[str, str]:
        sandbox, pod = self._pod(host)
        config = configs.container("manual", self.wanted, image)
        config["annotations"] = pairs({ANNOTATION_CRIU: CONF})
        fields = {"pod_sandbox_id": sandbox, "config": config, "sandbox_config": pod}
        (made,) = self._ask(host, CriCall("CreateContainer", "create", fields, "id"))
        self._ask(host, CriCall("StartContainer", "id", {"id": made.id}))
        return sandbox, made.id

    def longest_wait(self) -> float:
        """Of a client over the move, in seconds."""
        sandbox, container = self._made("h1", self.image)
        time.sleep(0.5)
        probe = Probe(self.address, checksums=True).start(30.0)
        there = ""
        try:
            down = f"nsenter -n -t $(pgrep -ox counter) ip link set eth0 down && rm -f {ARCHIVE}"
            self.lab.exec("h1", ["sh", "-c", down])
            saved = {"container_id": container, "location": ARCHIVE, "timeout": 60}
            self._ask(
                "h1",
                CriCall("CheckpointContainer", "checkpoint", saved),
                CriCall("StopContainer", "stop", {"id": container, "timeout": 0}),
                CriCall("StopPodSandbox", "id", {"id": sandbox}),
                CriCall("RemovePodSandbox", "id", {"id": sandbox}),
            )
            pack, unpack = ["cat", ARCHIVE], ["sh", "-c", f"cat > {ARCHIVE}"]
            with subprocess.Popen(self.lab.exec_argv("h1", pack), stdout=subprocess.PIPE) as packing:
                subprocess.run(self.lab.exec_argv("h2", unpack), stdin=packing.stdout, check=True)
            there, _ = self._made("h2", ARCHIVE)
            time.sleep(0.5)
        finally:
            seen = probe.stop()
            for method in ("StopPodSandbox", "RemovePodSandbox") if there else ():
                self._ask("h2", CriCall(method, "id", {"id": there}))
            for host in ("h1", "h2"):
                left = f"rm -f {ARCHIVE} {CONF}; pkill -x perl; ctr -n k8s.io images rm {self.image}"
                self.lab.exec(host, ["sh", "-c", left], check=False)  # the host's PID namespace is its own
        assert seen.survived, seen
        return seen.longest_wait_seconds
