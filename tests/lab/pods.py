"""A lab whose hosts have containerd: what tests ask of it, and how it is made empty again."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.lab import DEMO_IMAGE, Lab
from reconciler.runtimes.cri import calls, looking
from reconciler.runtimes.cri.calls import CriCall
from tests.lab.dockers import boot_words
from tests.lab.tidying import END_HOLDS

CLEAR = """
ctr version >/dev/null 2>&1 || sh /run/lab/containerd.sh "$1" "$2" "$3"
rm -f /var/run/kubelet.pid; rm -rf /var/lib/kubelet
awk '/.checkpoint /{print $2}' /proc/mounts | xargs -r umount
rm -rf /var/lib/reconciler/* /var/log/pods/*
ctr -n k8s.io images ls -q | grep -qx "$4" || ctr -n k8s.io images import /usr/share/reconciler/images/image.tar
"""


def ask(lab: Lab, host: str, *asked: CriCall) -> list[calls.CriAnswer]:
    """What containerd answers, asked without the runtime's own commands for that."""
    lines = base64.b64encode(calls.stdin(asked)).decode()
    script = f'echo {lines} | base64 -d | /bin/sh -c "$1" calls 60 on'
    said = lab.exec(host, ["sh", "-c", script, "sh", calls.shell("calls")[2]], timeout_seconds=120)
    return calls.read(said.stdout, asked)


def pods(lab: Lab, host: str) -> list[looking.OwnPod]:
    """All pods of workloads."""
    return looking.pods([answer.message for answer in ask(lab, host, *looking.LISTS)])


def address(lab: Lab, host: str) -> str:
    """Of the one pod there."""
    (pod,) = pods(lab, host)
    (answer,) = ask(lab, host, CriCall("PodSandboxStatus", "ask", {"id": pod.id}, "podanswer"))
    return str(answer.message.status.network.ip)


def in_container(lab: Lab, host: str, *words: str) -> str:
    """Run a command in the one container that runs there; what it prints."""
    running = "ctr -n k8s.io containers ls -q 'labels.\"io.cri-containerd.kind\"==container'"
    script = f'exec ctr -n k8s.io tasks exec --exec-id test-$$ "$({running})" "$@"'
    return lab.exec(host, ["sh", "-c", script, "sh", *words], timeout_seconds=60).stdout


def start_containerd(lab: Lab, host: str) -> None:
    lab.exec(host, ["sh", "/run/lab/containerd.sh", *boot_words(lab, host)], timeout_seconds=90)


@contextmanager
def cleared(lab: Lab) -> Iterator[Lab]:
    """All hosts up and without pods, before and after."""
    _clear(lab)
    yield lab
    _clear(lab)


def _clear(lab: Lab) -> None:
    Lab.up(lab.name)
    # An address may come back with another MAC; this machine must not look for the old one.
    subprocess.run(["ip", "neigh", "flush", "to", str(lab.subnet)], check=True, capture_output=True)
    for host in lab.hosts:
        lab.start_sshd(host.name)
        boot = (*boot_words(lab, host.name), DEMO_IMAGE)
        lab.exec(host.name, ["sh", "-c", END_HOLDS], check=False)
        lab.exec(host.name, ["sh", "-c", CLEAR, "clear", *boot], timeout_seconds=120)
        for pod in pods(lab, host.name):
            gone = ("StopPodSandbox", "RemovePodSandbox")
            ask(lab, host.name, *(CriCall(method, "id", {"id": pod.id}) for method in gone))
