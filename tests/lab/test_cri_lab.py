"""Lab hosts with containerd. Real: containerd without systemd, its CRI, curl as what speaks gRPC."""

from __future__ import annotations

import pytest

from reconciler.lab import DEMO_IMAGE, Lab

pytestmark = [pytest.mark.lab, pytest.mark.cri, pytest.mark.timeout(600)]

VERSION = (
    "printf '\\0\\0\\0\\0\\0' | curl -sS -o /tmp/answer -D - --http2-prior-knowledge "
    "--unix-socket /run/containerd/containerd.sock -H 'content-type: application/grpc' -H 'te: trailers' "
    "--data-binary @- http://localhost/runtime.v1.RuntimeService/Version; tr -cd '[:print:]' </tmp/answer"
)


def images(lab: Lab, host: str) -> set[str]:
    found = lab.exec(host, ["ctr", "-n", "k8s.io", "images", "ls", "-q"]).stdout.split()
    return {name for name in found if not name.startswith("sha256:")}


def test_hosts_answer_on_cri_and_come_back_with_their_images(without_pods: Lab) -> None:
    for host in ("h1", "h2"):
        said = without_pods.exec(host, ["sh", "-c", VERSION]).stdout
        assert "grpc-status: 0" in said and "containerd" in said
    before = images(without_pods, "h1")
    assert DEMO_IMAGE in before and images(without_pods, "h2") == before
    without_pods.reboot("h1")
    assert images(without_pods, "h1") == before
    assert "grpc-status: 0" in without_pods.exec("h1", ["sh", "-c", VERSION]).stdout
