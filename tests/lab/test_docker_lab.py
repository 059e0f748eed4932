"""Lab hosts with Docker. Real: dockerd without systemd, containerd, runc."""

from __future__ import annotations

import pytest

from reconciler.lab import DEMO_IMAGE, Lab, Probe
from tests.lab.dockers import docker, running_on

pytestmark = [pytest.mark.lab, pytest.mark.docker, pytest.mark.timeout(600)]


def test_a_container_answers_on_the_labs_segment(engines: Lab) -> None:
    address = str(engines.subnet[100])
    docker(engines, "h1", "run", "--detach", "--network", f"name=lab,ip={address}", DEMO_IMAGE)
    with Probe(address) as probe:
        assert running_on(engines) == ["h1"]
        seen = probe.stop()
    assert seen.survived, seen


def test_hosts_have_the_same_image_and_come_back_with_docker(engines: Lab) -> None:
    def image(host: str) -> str:
        return docker(engines, host, "image", "inspect", "--format", "{{.Id}}", DEMO_IMAGE)

    before = image("h1")
    assert before and image("h2") == before
    engines.reboot("h1")
    assert image("h1") == before
    assert "lab" in docker(engines, "h1", "network", "ls", "--format", "{{.Name}}").split()
    assert (
        docker(engines, "h1", "info", "--format", "{{.ExperimentalBuild}} {{.LiveRestoreEnabled}}") == "true true"
    )
