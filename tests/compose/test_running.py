"""Containers that run, as Podman inspects them, become specs. Recorded on a lab host, shortened."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.load.foreign.running import read_running
from reconciler.load.foreign.write import checked, lost
from reconciler.model.labels import LABEL_WORKLOAD

IMAGE = {"Id": "a" * 64, "Config": {"Env": ["PATH=/bin", "LANG=C"], "Cmd": ["serve"], "Labels": {"by": "us"}}}


def found(host: dict[str, Any] | None = None, config: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    plain = {"Env": ["PATH=/bin", "LANG=C", "HOSTNAME=x"], "Cmd": ["serve"], "Labels": {"by": "us"}, "User": ""}
    return {
        "Id": "c" * 64,
        "Name": "web",
        "Image": "a" * 64,
        "ImageName": "localhost/app:1",
        "Config": {**plain, "Hostname": "c" * 12, **(config or {})},
        "HostConfig": {"NetworkMode": "bridge", "RestartPolicy": {"Name": "no"}, **(host or {})},
        "NetworkSettings": {"Networks": {"podman": {"IPAddress": "10.88.0.3"}}},
        **more,
    }


def made(*containers: dict[str, Any]) -> Any:
    return checked(read_running(containers, [IMAGE], ["lan"]))


def test_what_the_image_says_is_left_out() -> None:
    (one,) = made(found()).services
    assert one.container == {"image": "localhost/app:1"} and one.notes == []


def test_health_limits_and_devices_are_kept() -> None:
    host = {
        "Memory": 2**28,
        "NanoCpus": 1_500_000_000,
        "Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse"}],
        "SecurityOpt": ["no-new-privileges"],
        "ShmSize": 65536000,
    }
    check = {"Test": ["CMD", "ask"], "Interval": 5 * 10**9, "Retries": 2}
    (one,) = made(found(host, {"Healthcheck": check, "StopSignal": "SIGINT"})).services
    assert one.container["limits"] == {"memory": "256MiB", "cpus": 1.5}
    assert one.container["devices"][0]["path"] == "/dev/fuse"
    assert one.container["securityOpt"] == {"noNewPrivileges": True} and one.container["stopSignal"] == "SIGINT"
    assert one.container["healthcheck"]["command"] == ["ask"] and one.container["healthcheck"]["retries"] == 2


def test_what_specs_cannot_say_is_named() -> None:
    shared = found({"NetworkMode": "container:db", "PidMode": "container:db"}, Pod="p")
    (one,) = made(shared).services
    assert {note.what for note in lost(one)} == {"pod", "network: container:db", "pid: container:db"}


def test_ours_and_infra_containers_are_only_told() -> None:
    result = made(found(config={"Labels": {LABEL_WORKLOAD: "web"}}), found(Name="infra", IsInfra=True))
    assert result.services == [] and {note.what for note in result.notes} == {"web", "infra"}


def test_a_file_needs_a_host_and_a_host_a_spec(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["import", "compose.yaml"]) == 4
    assert "--host" in capsys.readouterr().err
    (tmp_path / "hosts.yaml").write_text(
        "apiVersion: reconciler/v1alpha1\nkind: Host\nmetadata: {name: h1}\nspec: {address: 192.0.2.1}\n"
    )
    assert run(["import", "h9", "--specs", "hosts.yaml"]) == 4
    assert "no spec defines the host h9" in capsys.readouterr().err
